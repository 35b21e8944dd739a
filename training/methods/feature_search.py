"""SCFS's feature search: where the content of a local view is in the map of a global view."""

from collections.abc import Iterator
from itertools import groupby

import torch
from torch import nn
from torch.nn import functional

from lowlabel.errors import InputError

SEARCH_LAYERS = ("layer2", "layer3", "layer4")


def search_map(local_maps: torch.Tensor, teacher_map: torch.Tensor) -> torch.Tensor:
    """Similarity of each position of a global map to local views: A = Σ_c L2norm_c(F_teacher)·a.

    Args:
        local_maps: The student's maps of the local views [L, B, C, h, w]. Their L2-normalised
            averages over positions are the a; no gradient flows through them.
        teacher_map: F_teacher, the map of a global view [B, C, H, W].

    Returns:
        Cosines [L, B, H, W].
    """
    averages = functional.normalize(local_maps.detach().mean(dim=(3, 4)), dim=-1)
    return torch.einsum("lbc,bchw->lbhw", averages, functional.normalize(teacher_map, dim=1))


def searched_features(local_maps: torch.Tensor, teacher_map: torch.Tensor) -> torch.Tensor:
    """The global map, each position weighted by its similarity to each local view.

    Args:
        local_maps: As in `search_map`.
        teacher_map: As in `search_map`.

    Returns:
        A ⊙ F_teacher, [L, B, C, H, W].
    """
    return search_map(local_maps, teacher_map)[:, :, None] * teacher_map


class ShallowHead(nn.Module):
    """SCFS's head on a layer's map: residual bottleneck, mean over positions, projection.

    Args:
        channels: C of the map.
        bottleneck: Channels inside the residual bottleneck.
        hidden: Width of the projection's hidden layer.
        out_features: Width of the output.
    """

    def __init__(
        self,
        channels: int,
        bottleneck: int = 256,
        hidden: int = 2_048,
        out_features: int = 256,
    ) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(channels, bottleneck, 1, bias=False),
            nn.BatchNorm2d(bottleneck),
            nn.ReLU(inplace=True),
            nn.Conv2d(bottleneck, bottleneck, 3, padding=1, bias=False),
            nn.BatchNorm2d(bottleneck),
            nn.ReLU(inplace=True),
            nn.Conv2d(bottleneck, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.projection = nn.Sequential(
            nn.Linear(channels, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, out_features),
            nn.BatchNorm1d(out_features),
        )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps layer maps [N, C, H, W] to outputs [N, out_features] of length 1."""
        mixed = functional.relu(maps + self.residual(maps))
        return functional.normalize(self.projection(mixed.mean(dim=(2, 3))), dim=-1)


class SearchModel(nn.Module):
    """A ResNet with a head on its features and a shallow head on layer2, layer3 and layer4.

    Args:
        backbone: A timm ResNet.
        head: Maps features [N, D] to logits [N, K].
        bottleneck: Option of the shallow heads (`ShallowHead`).
        hidden: Option of the shallow heads.
        out_features: Option of the shallow heads.
    """

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.Module,
        bottleneck: int = 256,
        hidden: int = 2_048,
        out_features: int = 256,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self._layers, channels = zip(*search_layers(backbone), strict=True)
        self.shallow_heads = nn.ModuleList(
            ShallowHead(width, bottleneck, hidden, out_features) for width in channels
        )

    def forward(
        self, views: list[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, list[list[torch.Tensor]]]:
        """Computes logits, features and layer maps, with one backbone pass per resolution.

        Args:
            views: V tensors [B, 3, h, w]; consecutive views of one size share a backbone pass.

        Returns:
            Logits [V·B, K] and features [V·B, D] in the order of the views, and for each
            resolution of n views the maps of the three layers, each [n·B, C, H, W].
        """
        features, maps = [], []
        for _, group in groupby(views, key=lambda view: view.shape[-2:]):
            last, layers = self.backbone.forward_intermediates(  # type: ignore[operator]
                torch.cat(list(group)), indices=list(self._layers)
            )
            features.append(self.backbone.forward_head(last))  # type: ignore[operator]
            maps.append(layers)
        joined = torch.cat(features)
        return self.head(joined), joined, maps


def search_layers(backbone: nn.Module) -> Iterator[tuple[int, int]]:
    """Yields index and channels of layer2, layer3 and layer4 among a timm ResNet's stages.

    Raises:
        InputError: If the network has no such layers.
    """
    stages = getattr(backbone, "feature_info", [])
    indices = {stage["module"]: index for index, stage in enumerate(stages)}
    missing = [name for name in SEARCH_LAYERS if name not in indices]
    if missing or not hasattr(backbone, "forward_intermediates"):
        raise InputError(
            f"{type(backbone).__name__} has no {', '.join(missing) or 'intermediate maps'}: "
            "feature search needs the stages of a ResNet",
            "Give --arch resnet50 or another ResNet.",
        )
    for name in SEARCH_LAYERS:
        yield indices[name], int(stages[indices[name]]["num_chs"])
