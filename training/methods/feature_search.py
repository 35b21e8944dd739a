"""SCFS's feature search: a local view's content is looked up in the map of a global one."""

from collections.abc import Iterator
from itertools import groupby

import torch
from torch import nn
from torch.nn import functional

from lowlabel.errors import InputError

SEARCH_LAYERS = ("layer2", "layer3", "layer4")


def search_map(local_maps: torch.Tensor, teacher_map: torch.Tensor) -> torch.Tensor:
    """Where a global map looks like local views: A = Σ_c L2norm_c(F_teacher)·a.

    Args:
        local_maps: The student's maps of the local views [L, B, C, h, w]. Their averages over
            places, at length 1, are the a; no gradient flows through them.
        teacher_map: F_teacher of a global view [B, C, H, W].

    Returns:
        Cosines [L, B, H, W].
    """
    wanted = functional.normalize(local_maps.detach().mean(dim=(3, 4)), dim=-1)
    return torch.einsum("lbc,bchw->lbhw", wanted, functional.normalize(teacher_map, dim=1))


def searched_features(local_maps: torch.Tensor, teacher_map: torch.Tensor) -> torch.Tensor:
    """The global map with each place scaled by how much it looks like each local view.

    Args:
        local_maps: As in `search_map`.
        teacher_map: Likewise.

    Returns:
        A ⊙ F_teacher, [L, B, C, H, W].
    """
    return search_map(local_maps, teacher_map)[:, :, None] * teacher_map


class ShallowHead(nn.Module):
    """SCFS's head on a layer's map: a residual bottleneck, the mean over places, a projection.

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
        """From maps [N, C, H, W] to outputs [N, out_features] of length 1."""
        mixed = functional.relu(maps + self.residual(maps))
        return functional.normalize(self.projection(mixed.mean(dim=(2, 3))), dim=-1)


class SearchModel(nn.Module):
    """A ResNet with a head on its features and a shallow one on each of layer2, layer3, layer4.

    Args:
        backbone: A timm ResNet.
        head: From features [N, D] to logits [N, K].
        bottleneck: Of the shallow heads, as in `ShallowHead`.
        hidden: Likewise.
        out_features: Likewise.
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
        """One backbone pass per resolution.

        Args:
            views: V tensors [B, 3, h, w]; neighbours of one size share a pass.

        Returns:
            Logits [V·B, K] and features [V·B, D], view by view; and for each resolution the maps
            of the three layers, [its views·B, C, H, W] each.
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
    """Place and channels of layer2, layer3 and layer4 among a timm ResNet's stages.

    Raises:
        InputError: If the network has no such layers.
    """
    stages = getattr(backbone, "feature_info", [])
    places = {stage["module"]: place for place, stage in enumerate(stages)}
    missing = [name for name in SEARCH_LAYERS if name not in places]
    if missing or not hasattr(backbone, "forward_intermediates"):
        raise InputError(
            f"{type(backbone).__name__} has no {', '.join(missing) or 'intermediate maps'}: "
            "feature search needs the stages of a ResNet",
            "Choose resnet50 or another ResNet.",
        )
    for name in SEARCH_LAYERS:
        yield places[name], int(stages[places[name]]["num_chs"])
