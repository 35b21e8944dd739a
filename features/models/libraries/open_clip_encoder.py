"""Features of an image tower of open_clip."""

from typing import Any

import torch
from torch import nn

from lowlabel.features.models.encoders import Encoder, TimmEncoder
from lowlabel.features.pooling import Tokens


class OpenClipEncoder(Encoder):
    """The image tower of a model of open_clip; its own features are those of `encode_image`.

    Args:
        model: The model. Its text tower is left out, except of CoCa, which normalises its image
            features by default.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        from open_clip import CLIP, CustomTextCLIP
        from open_clip.transformer import VisionTransformer

        self.whole = not isinstance(model, CLIP | CustomTextCLIP)
        self.module: nn.Module = model if self.whole else model.visual  # type: ignore[assignment]
        if isinstance(self._tower, VisionTransformer):
            self.patch = int(self._tower.patch_size[0])
            self.depth = len(self._tower.transformer.resblocks)

    @property
    def _tower(self) -> Any:
        return self.module.visual if self.whole else self.module

    def head(self, images: torch.Tensor) -> torch.Tensor:
        """Computes `encode_image`, normalised only if that is its default."""
        model: Any = self.module
        features: torch.Tensor = model.encode_image(images) if self.whole else model(images)
        return features

    def tokens(self, images: torch.Tensor) -> Tokens:
        """Computes the last tokens after the final norm, before the projection."""
        if self.depth:
            return self.blocks(images, 1)[0]
        trunk = getattr(self._tower, "trunk", None)  # of timm
        return TimmEncoder(trunk).tokens(images) if trunk is not None else super().tokens(images)

    def blocks(self, images: torch.Tensor, count: int) -> list[Tokens]:
        """Computes the tokens of the last blocks of open_clip's own vision transformer."""
        if not 1 <= count <= self.depth:
            return super().blocks(images, count)
        found = self._tower.forward_intermediates(
            images,
            indices=count,
            normalize_intermediates=True,
            intermediates_only=True,
            output_fmt="NLC",
            output_extra_tokens=True,
        )
        pairs = zip(found["image_intermediates_prefix"], found["image_intermediates"], strict=True)
        return [Tokens(prefix[:, 0], patches) for prefix, patches in pairs]
