"""DINO's network: a backbone with a projection head, applied to views of several resolutions."""

from itertools import groupby

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations


class DINOHead(nn.Module):
    """DINO's projection head (Caron et al., ICCV 2021, arXiv:2104.14294).

    Linear–GELU–Linear–GELU–Linear, L2 normalisation, then a weight-normalised linear layer whose
    rows are the prototypes. The module can be deep-copied.

    Args:
        in_features: Width of the backbone's features.
        prototypes: K, the width of the output.
        hidden: Width of the two hidden layers.
        bottleneck: Width before the last layer.
        norm_last_layer: Whether to keep the prototypes at length 1; else the lengths are trained.
        use_bn: Whether batch normalisation stands before each GELU. Its statistics are those of
            all views, or all tokens, of one pass.
    """

    def __init__(
        self,
        in_features: int,
        prototypes: int = 65_536,
        hidden: int = 2_048,
        bottleneck: int = 256,
        norm_last_layer: bool = True,
        use_bn: bool = False,
    ) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            *_hidden_layer(in_features, hidden, use_bn),
            *_hidden_layer(hidden, hidden, use_bn),
            nn.Linear(hidden, bottleneck),
        )
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        last = nn.Linear(bottleneck, prototypes, bias=False)
        self.last_layer = parametrizations.weight_norm(last, dim=0)
        gains = self.last_layer.parametrizations.weight.original0
        nn.init.ones_(gains)
        gains.requires_grad_(not norm_last_layer)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Maps features [..., D] to logits [..., K]."""
        rows = self.mlp(features.flatten(0, -2))
        hidden = functional.normalize(rows, dim=-1).unflatten(0, features.shape[:-1])
        logits: torch.Tensor = self.last_layer(hidden)
        return logits


def _hidden_layer(width: int, hidden: int, use_bn: bool) -> list[nn.Module]:
    norm = [nn.BatchNorm1d(hidden)] if use_bn else []
    return [nn.Linear(width, hidden), *norm, nn.GELU()]


class MultiCropModel(nn.Module):
    """A backbone with a head: one backbone pass per resolution, one head pass in total.

    Args:
        backbone: Maps images [N, 3, h, w] to features [N, D].
        head: Maps features [N, D] to logits [N, K].
    """

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, views: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Computes logits and features.

        Args:
            views: V tensors [B, 3, h, w]; consecutive views of one size share a backbone pass.

        Returns:
            Logits [V·B, K] and features [V·B, D], in the order of the views.
        """
        groups = [list(group) for _, group in groupby(views, key=lambda view: view.shape[-2:])]
        features = torch.cat([self.backbone(torch.cat(group)) for group in groups])
        return self.head(features), features
