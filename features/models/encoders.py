"""One interface for backbones from different libraries: `head` features and tokens."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager

import torch
from timm.models.deit import VisionTransformerDistilled
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d

from lowlabel.errors import InputError
from lowlabel.features.models.code.running import users_code
from lowlabel.features.pooling import Tokens


class Encoder(nn.Module, ABC):
    """A backbone that embeds images [B, 3, H, W].

    Attributes:
        pooling: The model's own pooling.
        patch: Side of the model's patches in pixels; 1 for a model without patches.
        depth: Number of blocks whose class and patch tokens `blocks` gives; 0 for a model that
            hides them or has no class token.
        runtime: What runs the network in place of torch, for records; empty for torch.
    """

    pooling: str = "head"
    patch: int = 1
    depth: int = 0
    runtime: str = ""

    @abstractmethod
    def head(self, images: torch.Tensor) -> torch.Tensor:
        """Computes the features [B, D] that the model's own classifier would take."""

    def tokens(self, images: torch.Tensor) -> Tokens:
        """Computes the tokens of the last layer; an `InputError` if the model hides them."""
        raise InputError(
            f"{type(self).__name__} has no tokens to pool", "Use --pooling head for this model."
        )

    def blocks(self, images: torch.Tensor, count: int) -> list[Tokens]:
        """Computes the tokens of the last `count` blocks after the final norm, the last one last.

        Raises:
            InputError: If the model hides its blocks, or has fewer.
        """
        if count == 1:
            return [self.tokens(images)]
        raise InputError(
            f"{type(self).__name__} gives its last block only, not the last {count}",
            "Omit @ from --pooling for this model.",
        )


class TimmEncoder(Encoder):
    """A timm model created with `num_classes=0`.

    Its own pooling is that of `module(images)`: "cls" where that is the normalised class token,
    "head" for any other, such as the mean of class and distillation token.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.prefix_tokens, self.has_class_token = _prefix(module)
        if self.has_class_token and _pools_class_token(module):
            self.pooling = "cls"
        self.patch = _patch_side(module)
        if self.has_class_token and _gives_prefix_tokens(module):
            self.depth = len(getattr(module, "blocks", ()))

    def head(self, images: torch.Tensor) -> torch.Tensor:
        """Computes the features before the classifier, pooled by the model."""
        features = self.module(images)
        if not isinstance(features, torch.Tensor) or features.ndim != 2:
            raise InputError(
                f"{self._name} does not pool its output {_shape(features)} to one vector per image",
                "Use --pooling mean.",
            )
        return features

    def tokens(self, images: torch.Tensor) -> Tokens:
        """Computes the last tokens after the final norm, or the positions of the last map."""
        features = self.module.forward_features(images)  # type: ignore[operator]
        if not isinstance(features, torch.Tensor) or features.ndim not in (3, 4):
            raise InputError(
                f"{self._name} gives {_shape(features)}, not one set of tokens or one map",
                "Use --pooling head, which is the model's own pooling.",
            )
        if features.ndim == 4:
            channels_last = getattr(self.module, "output_fmt", "NCHW") == "NHWC"
            patches = features.flatten(1, 2) if channels_last else features.flatten(2).mT
            return Tokens(None, patches)
        return self._split(features[:, : self.prefix_tokens], features[:, self.prefix_tokens :])

    def blocks(self, images: torch.Tensor, count: int) -> list[Tokens]:
        """Computes the tokens of the last blocks of a vision transformer."""
        depth = len(getattr(self.module, "blocks", ()))
        if count == 1 or not depth or not _gives_prefix_tokens(self.module):
            return super().blocks(images, count)
        if count > depth:
            raise InputError(
                f"the pooling needs the last {count} blocks, but the model has {depth}",
                f"Use at most @{depth} in --pooling.",
            )
        has_prefix = self.prefix_tokens > 0
        found = self.module.forward_intermediates(  # type: ignore[operator]
            images,
            indices=count,
            return_prefix_tokens=has_prefix,
            norm=True,
            output_fmt="NLC",
            intermediates_only=True,
        )
        if not has_prefix:
            return [Tokens(None, patches) for patches in found]
        return [self._split(prefix, patches) for patches, prefix in found]

    def _split(self, prefix: torch.Tensor, patches: torch.Tensor) -> Tokens:
        return Tokens(prefix[:, 0] if self.has_class_token else None, patches)

    @property
    def _name(self) -> str:
        return type(self.module).__name__


def _prefix(module: nn.Module) -> tuple[int, bool]:
    """Number of tokens before the patches, and whether the first is a class token.

    Some models of timm do not count theirs: VOLO, CoaT, and PiT, which gives class tokens alone.
    """
    names = ("cls_token", "cls_token4")
    token = next((t for t in (getattr(module, n, None) for n in names) if t is not None), None)
    count = getattr(module, "num_prefix_tokens", None)
    if count is None:
        count = 0 if token is None else token.shape[-2]
    return int(count), bool(getattr(module, "has_class_token", token is not None))


def _pools_class_token(module: nn.Module) -> bool:
    """Whether `module(images)` is the class token of `forward_features`."""
    if getattr(module, "global_pool", None) != "token" or not hasattr(module, "num_prefix_tokens"):
        return False
    pooling = (getattr(type(module), name, None) for name in ("forward", "forward_head", "pool"))
    return (
        not isinstance(module, VisionTransformerDistilled)
        and isinstance(getattr(module, "fc_norm", None), nn.Identity | None)
        and all(method is None or method.__module__.startswith("timm.") for method in pooling)
    )


def _gives_prefix_tokens(module: nn.Module) -> bool:
    forward = getattr(module, "forward_intermediates", None)
    return forward is not None and "return_prefix_tokens" in inspect.signature(forward).parameters


def _shape(features: object) -> str:
    """Shape of an output for messages; of a list or dictionary the shape of each part."""
    if isinstance(features, torch.Tensor):
        return str(list(features.shape))
    if isinstance(features, Mapping):
        return _shape(list(features.values()))
    if isinstance(features, list | tuple):
        return f"{len(features)} outputs of shapes {', '.join(map(_shape, features))}"
    return type(features).__name__


class HubEncoder(Encoder):
    """A user's own model, or one of `torch.hub`; its forward pass gives the features.

    DINO's and DINOv2's models give tokens too.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.patch = _patch_side(module)

    @property
    def gives_tokens(self) -> bool:
        """Whether the model has DINO's or DINOv2's methods for tokens."""
        names = "cls_token", "get_intermediate_layers"
        return all(hasattr(self.module, name) for name in names)

    def head(self, images: torch.Tensor) -> torch.Tensor:
        """Computes the model's own output, which must be [B, D]."""
        with _running(self.module):
            features = self.module(images)
        if not isinstance(features, torch.Tensor) or features.ndim != 2:
            raise InputError(
                f"the model gives {_shape(features)}, not features [B, D]",
                "Choose an entry point or a function whose model gives one vector per image.",
            )
        return features

    def tokens(self, images: torch.Tensor) -> Tokens:
        """Computes normalised tokens, if the model gives them as DINO or DINOv2 does."""
        forward = getattr(self.module, "forward_features", None)
        with _running(self.module):
            if forward is None and self.gives_tokens:
                tokens = self.module.get_intermediate_layers(images, 1)[0]  # type: ignore[operator]
                return Tokens(tokens[:, 0], tokens[:, 1:])
            named = forward(images) if forward else None
        if not isinstance(named, dict) or "x_norm_patchtokens" not in named:
            return super().tokens(images)
        return Tokens(named.get("x_norm_clstoken"), named["x_norm_patchtokens"])


class Pixels(Encoder):
    """The resized image itself, flattened: a baseline without training.

    Args:
        side: Side of the square that images of other sizes are averaged to, in pixels.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def head(self, images: torch.Tensor) -> torch.Tensor:
        """Flattens the pixels to [B, 3 × side × side]."""
        if images.shape[-2:] != (self.side, self.side):
            images = adaptive_avg_pool2d(images, self.side)
        return images.flatten(1)


def _running(module: nn.Module) -> AbstractContextManager[None]:
    fix = "If it takes images of another size, choose --resolution; else fix its code."
    what = f"the forward pass of {type(module).__name__} fails"
    return users_code(what, fix, passed=(torch.cuda.OutOfMemoryError,))


def _patch_side(module: nn.Module) -> int:
    side = getattr(getattr(module, "patch_embed", None), "patch_size", 1)
    return int(side[0] if isinstance(side, tuple | list) else side)
