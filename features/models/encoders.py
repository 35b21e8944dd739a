"""One interface for backbones from different libraries: `head` features and tokens."""

from abc import ABC, abstractmethod

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d

from lowlabel.errors import InputError
from lowlabel.features.pooling import Tokens


class Encoder(nn.Module, ABC):
    """A backbone that embeds images [B, 3, H, W].

    Attributes:
        pooling: The model's own pooling.
        patch: Side of the model's patches in pixels; 1 for a model without patches.
    """

    pooling: str = "head"
    patch: int = 1

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
    """A timm model created with `num_classes=0`."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.prefix_tokens = int(getattr(module, "num_prefix_tokens", 0))
        self.has_class_token = bool(getattr(module, "has_class_token", self.prefix_tokens > 0))
        if self.has_class_token and getattr(module, "global_pool", None) == "token":
            self.pooling = "cls"
        self.patch = _patch_side(module)

    def head(self, images: torch.Tensor) -> torch.Tensor:
        """Computes the features before the classifier, pooled by the model."""
        features: torch.Tensor = self.module(images)
        return features

    def tokens(self, images: torch.Tensor) -> Tokens:
        """Computes the last tokens after the final norm, or the positions of the last map."""
        features: torch.Tensor = self.module.forward_features(images)  # type: ignore[operator]
        if features.ndim == 4:
            channels_last = getattr(self.module, "output_fmt", "NCHW") == "NHWC"
            patches = features.flatten(1, 2) if channels_last else features.flatten(2).mT
            return Tokens(None, patches)
        cls = features[:, 0] if self.has_class_token else None
        return Tokens(cls, features[:, self.prefix_tokens :])

    def blocks(self, images: torch.Tensor, count: int) -> list[Tokens]:
        """Computes the tokens of the last blocks of a vision transformer."""
        depth = len(getattr(self.module, "blocks", ()))
        if count == 1 or not hasattr(self.module, "forward_intermediates") or not depth:
            return super().blocks(images, count)
        if count > depth:
            raise InputError(
                f"the pooling needs the last {count} blocks, but the model has {depth}",
                f"Use at most @{depth} in --pooling.",
            )
        found = self.module.forward_intermediates(  # type: ignore[operator]
            images,
            indices=count,
            return_prefix_tokens=True,
            norm=True,
            output_fmt="NLC",
            intermediates_only=True,
        )
        return [
            Tokens(prefix[:, 0] if self.has_class_token else None, patches)
            for patches, prefix in found
        ]


class HubEncoder(Encoder):
    """A `torch.hub` model; its forward pass gives the features, DINOv2's gives tokens too."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.patch = _patch_side(module)

    def head(self, images: torch.Tensor) -> torch.Tensor:
        """Computes the model's own output, which must be [B, D]."""
        features = self.module(images)
        if not isinstance(features, torch.Tensor) or features.ndim != 2:
            shape = tuple(getattr(features, "shape", ())) or type(features).__name__
            raise InputError(
                f"the hub model gives {shape}, not features [B, D]",
                "Choose an entry point whose model gives one vector per image.",
            )
        return features

    def tokens(self, images: torch.Tensor) -> Tokens:
        """Computes normalised tokens, if `forward_features` names them as in DINOv2."""
        forward = getattr(self.module, "forward_features", None)
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


def _patch_side(module: nn.Module) -> int:
    side = getattr(getattr(module, "patch_embed", None), "patch_size", 1)
    return int(side[0] if isinstance(side, tuple | list) else side)
