"""PW-Self's network: a vision transformer with a head on its tokens."""

from collections.abc import Collection
from itertools import groupby

import torch
from torch import nn

from lowlabel.errors import InputError


class TokenModel(nn.Module):
    """A backbone with one head for the CLS token and the patch tokens.

    Args:
        backbone: A timm transformer whose `forward_features` returns [N, tokens, D].
        head: Maps tokens [..., D] to logits [..., K].
    """

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self._prefix = int(backbone.num_prefix_tokens)  # type: ignore[arg-type]

    def forward(self, views: list[torch.Tensor]) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Computes logits of the tokens and features of the images.

        Args:
            views: V tensors [B, 3, h, w]; consecutive views of one size share a backbone pass.

        Returns:
            Logits of the CLS token and the patches, V tensors [B, 1 + patches, K], and the CLS
            tokens [V·B, D] in the order of the views.
        """
        logits, cls = [], []
        for _, group in groupby(views, key=lambda view: view.shape[-2:]):
            batches = list(group)
            tokens = self.backbone.forward_features(torch.cat(batches))  # type: ignore[operator]
            tokens = torch.cat([tokens[:, :1], tokens[:, self._prefix :]], dim=1)  # no registers
            logits += self.head(tokens).chunk(len(batches))
            cls.append(tokens[:, 0])
        return logits, torch.cat(cls)


def patch_side(backbone: nn.Module, view_sizes: Collection[int]) -> int:
    """Side of a backbone's patches, in pixels.

    Raises:
        InputError: If the backbone has no CLS token or no patch tokens, or a view's side is not a
            multiple of the patch's.
    """
    name = type(backbone).__name__
    side = getattr(getattr(backbone, "patch_embed", None), "patch_size", None)
    if side is None or getattr(backbone, "cls_token", None) is None:
        raise InputError(
            f"{name} has no CLS token and patch tokens, which patch-wise training needs",
            "Give --arch vit_small or another vision transformer.",
        )
    sides = set(side) if isinstance(side, tuple) else {side}
    if len(sides) > 1:
        raise InputError(f"{name} must have square patches, not patches of {side} pixels")
    patch = int(sides.pop())
    for size in sorted(view_sizes):
        if size % patch:
            raise InputError(
                f"a view of {size} pixels cannot be divided into {name}'s patches of {patch}",
                f"Give a size that is a multiple of {patch}: "
                f"{size // patch * patch or patch} or {(size // patch + 1) * patch}.",
            )
    return patch
