"""Position embeddings of a ViT at image sizes other than its own: timm's rule or DINO's.

timm resamples the grid bicubically with antialiasing to the new size. DINO (Caron et al., ICCV
2021, arXiv:2104.14294) and DINOv2 without registers (Oquab et al., arXiv:2304.07193) do so without
antialiasing, with a scale of (n + 0.1) / N from N to n patches on a side.
"""

from collections.abc import Sequence

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn.functional import interpolate

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.specs import Option

POSITIONS = ("timm", "dino")
_TIMM_VALUES = ("learn", "none", "")  # of timm's own option of this name
_OFFSET = 0.1
_FAMILIES = ("dino", "ibot", "dinov2")  # iBOT's ViT is DINO's


class DINOPositions(VisionTransformer):  # type: ignore[misc]
    """A ViT of timm that takes images of any size and resamples its position embeddings as DINO."""

    def _pos_embed(self, x: torch.Tensor) -> torch.Tensor:
        """Adds position embeddings to prefix tokens and patches [B, H, W, D] or [B, N, D]."""
        native = self.patch_embed.grid_size
        grid = (x.shape[1], x.shape[2]) if x.ndim == 4 else native
        prefix = [
            token.expand(len(x), -1, -1)
            for token in (self.cls_token, self.reg_token)
            if token is not None
        ]
        inside = 0 if self.no_embed_class else self.num_prefix_tokens
        position = resample_as_dino(self.pos_embed, inside, native, grid)
        patches = x.flatten(1, 2) if x.ndim == 4 else x
        if self.no_embed_class:
            tokens = torch.cat([*prefix, patches + position], dim=1)
        else:
            tokens = torch.cat([*prefix, patches], dim=1) + position
        return self.pos_drop(tokens)  # type: ignore[no-any-return]


def resample_as_dino(
    position: torch.Tensor, prefix: int, old: Sequence[int], new: Sequence[int]
) -> torch.Tensor:
    """Resamples position embeddings by DINO's rule.

    Args:
        position: Embeddings [1, prefix + H·W, D] of the prefix tokens and the grid.
        prefix: Number of prefix tokens, whose embeddings stay.
        old: H and W.
        new: Height and width of the new grid h × w.

    Returns:
        [1, prefix + h·w, D].
    """
    if tuple(new) == tuple(old):
        return position
    scales = [(n + _OFFSET) / native for n, native in zip(new, old, strict=True)]
    grid = position[:, prefix:].float().unflatten(1, tuple(old)).movedim(-1, 1)
    resampled = interpolate(grid, scale_factor=scales, mode="bicubic").flatten(2).mT
    return torch.cat([position[:, :prefix], resampled.to(position.dtype)], dim=1)


def has_positions(module: nn.Module) -> bool:
    """Whether DINO's rule can be applied: to a plain ViT of timm with position embeddings."""
    return type(module) is VisionTransformer and module.pos_embed is not None


def check_positions(module: nn.Module) -> None:
    """Raises an `InputError` unless DINO's rule can be applied to a network."""
    if not has_positions(module):
        raise InputError(
            f"pos_embed=dino is for plain ViTs with position embeddings, not for a network of "
            f"timm's class {type(module).__name__}",
            "Leave pos_embed out.",
        )


def use_dino_positions(module: nn.Module) -> None:
    """Makes a plain ViT that was created for images of any size resample as DINO."""
    module.__class__ = DINOPositions


def official_positions(name: str, family: str = "") -> str:
    """The rule of the authors of a weights file, as far as its architecture or layout tells.

    Args:
        name: The architecture of timm that was named for the file, with or without a tag.
        family: The method whose layout the file has, such as "dinov2"; empty if unknown, and for
            a file of DINOv2 by timm's names, which is resampled by timm's rule.
    """
    return "dino" if family in _FAMILIES or name.endswith(".dino") else "timm"


def take_positions(options: dict[str, Option]) -> str | None:
    """Removes `pos_embed=timm` or `pos_embed=dino`; other values are those of timm's own option.

    Raises:
        UnknownNameError: If the value is neither.
    """
    value = options.get("pos_embed")
    if value in POSITIONS:
        return str(options.pop("pos_embed"))
    if value is not None and value not in _TIMM_VALUES:
        raise UnknownNameError("pos_embed", str(value), [*POSITIONS, *_TIMM_VALUES[:2]])
    return None
