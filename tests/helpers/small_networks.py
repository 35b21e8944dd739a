"""Small networks of timm, none of whose parameters is without effect."""

import timm
import torch
from torch import nn


def network(name: str, **options: object) -> nn.Module:
    """A network of two blocks whose every parameter, LayerScale included, matters."""
    torch.manual_seed(2)
    module = timm.create_model(name, num_classes=0, depth=2, **options).eval()
    for parameter in module.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.1)
    return module
