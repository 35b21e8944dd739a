"""Features of a model of Hugging Face transformers."""

import inspect
from typing import Any

import torch
from torch import nn

from lowlabel.errors import InputError
from lowlabel.features.models.encoders import Encoder
from lowlabel.features.models.libraries.families import Family
from lowlabel.features.pooling import Tokens


class TransformersEncoder(Encoder):
    """A vision model of transformers.

    Args:
        module: The model.
        family: How models of its kind give features.
        projected: Whether its `head` is the projection to the space of images and texts.
    """

    def __init__(self, module: nn.Module, family: Family, *, projected: bool = False) -> None:
        super().__init__()
        self.module, self.family, self.projected = module, family, projected
        config: Any = module.config
        self.before = family.before + int(getattr(config, "num_register_tokens", 0) or 0)
        self.pooling = family.pooling
        if family.pooling == "head" and not getattr(config, "vision_use_head", True):
            self.pooling = "mean"  # SigLIP without its attention pooling
        if hasattr(config, "patch_size") and not hasattr(config, "depths"):
            self.patch = _square(config.patch_size)[0]
        self.depth = int(config.num_hidden_layers) if family.norm else 0
        self._native = _square(getattr(config, "image_size", None) or 0)
        self._masks = hasattr(config, "mask_ratio")
        if self._masks:
            config.mask_ratio = 0.0
        forward = inspect.signature(module.forward)
        self._resamples = "interpolate_pos_encoding" in forward.parameters

    def resampled(self, height: int, width: int) -> bool:
        """Whether position embeddings are resampled for images of a size."""
        learnt = any("position_embedding" in name for name, _ in self.module.named_parameters())
        return learnt and (height, width) != self._native

    def head(self, images: torch.Tensor) -> torch.Tensor:
        """Computes what the family's classifier takes, or the projection."""
        if self.projected:
            projection: nn.Module = self.module.visual_projection  # type: ignore[assignment]
            return projection(self._output(images).pooler_output)  # type: ignore[no-any-return]
        output = self._output(images)
        if self.pooling != "head":
            tokens = self._split(output, output.last_hidden_state)
            return tokens.patches.mean(1) if tokens.cls is None else tokens.cls
        return output.pooler_output.flatten(1)  # type: ignore[no-any-return]

    def tokens(self, images: torch.Tensor) -> Tokens:
        """Computes the last tokens, or the positions of the last map."""
        output = self._output(images)
        return self._split(output, output.last_hidden_state)

    def blocks(self, images: torch.Tensor, count: int) -> list[Tokens]:
        """Computes the tokens of the last blocks after the final norm."""
        if count == 1 or not self.depth:
            return super().blocks(images, count)
        if count > self.depth:
            raise InputError(
                f"the pooling needs the last {count} blocks, but the model has {self.depth}",
                f"Use at most @{self.depth} in --pooling.",
            )
        output = self._output(images, output_hidden_states=True)
        norm = getattr(self.module, self.family.norm)
        return [self._split(output, norm(tokens)) for tokens in output.hidden_states[-count:]]

    def _output(self, images: torch.Tensor, **options: Any) -> Any:
        if self._resamples and tuple(images.shape[-2:]) != self._native:
            options["interpolate_pos_encoding"] = True
        if self._masks:  # or the patches would be in another order each time
            options["noise"] = self._in_order(images)
        network: Any = self.module.vision_model if self.projected else self.module
        return network(images, **options)

    def _in_order(self, images: torch.Tensor) -> torch.Tensor:
        height, width = images.shape[-2:]
        count = (height // self.patch) * (width // self.patch)
        order = torch.arange(count, dtype=torch.float32, device=images.device)
        return order.expand(images.shape[0], -1)

    def _split(self, output: Any, last: torch.Tensor) -> Tokens:
        if last.ndim == 4:
            return Tokens(None, last.flatten(2).mT)
        patches = last[:, self.before :]
        if self.family.class_token == "pooler":
            return Tokens(output.pooler_output, patches)
        return Tokens(last[:, 0] if self.family.class_token else None, patches)


def _square(size: Any) -> tuple[int, int]:
    """Height and width of a size in a configuration."""
    if isinstance(size, int):
        return size, size
    return int(size[0]), int(size[-1])
