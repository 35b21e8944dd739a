"""A backbone with a head over views of several resolutions."""

from itertools import groupby

import torch
from torch import nn
from torch.nn import functional


class MultiCropModel(nn.Module):
    """One backbone pass for each resolution, one head pass over all.

    Args:
        backbone: From [N, 3, h, w] to features [N, D].
        head: From [N, D] to logits [N, K].
    """

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, views: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """The views' logits and features.

        Args:
            views: V tensors [B, 3, h, w]; neighbours of one size share a pass.

        Returns:
            Logits [V·B, K] and features [V·B, D], view by view.
        """
        groups = [list(group) for _, group in groupby(views, key=lambda view: view.shape[-2:])]
        features = torch.cat([self.backbone(torch.cat(group)) for group in groups])
        return self.head(features), features


@torch.no_grad()
def feature_std(features: torch.Tensor) -> torch.Tensor:
    """How far features spread: 0 when all are alike, about 1 when they point everywhere.

    The standard deviation over the batch of L2-normalised features [N, D], averaged over the
    dimensions and multiplied by √D.
    """
    unit = functional.normalize(features.detach().float(), dim=-1)
    spread: torch.Tensor = unit.std(dim=0).mean() * unit.shape[-1] ** 0.5
    return spread
