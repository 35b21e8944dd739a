"""Projection heads."""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations


class DINOHead(nn.Module):
    """DINO's projection head (Caron et al., ICCV 2021, arXiv:2104.14294).

    Linear–GELU–Linear–GELU–Linear, L2 normalisation, then a weight-normalised linear layer whose
    rows are the prototypes. It can be deep-copied.

    Args:
        in_features: Width of the backbone's features.
        prototypes: K, the width of the output.
        hidden: Width of the two hidden layers.
        bottleneck: Width before the last layer.
        norm_last_layer: Whether the prototypes keep length 1; else their lengths are learnt.
    """

    def __init__(
        self,
        in_features: int,
        prototypes: int = 65_536,
        hidden: int = 2_048,
        bottleneck: int = 256,
        norm_last_layer: bool = True,
    ) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(in_features, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
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
        """From features [..., D] to logits [..., K]."""
        hidden = functional.normalize(self.mlp(features), dim=-1)
        logits: torch.Tensor = self.last_layer(hidden)
        return logits
