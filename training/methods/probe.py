"""The k-NN accuracy of the teacher's features on held-out labels during training."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from lowlabel.classification import evaluate_knn
from lowlabel.datasets import ImageSet
from lowlabel.datasets.io.pixels import Orientation
from lowlabel.errors import DataError, InputError
from lowlabel.features.models.architectures import protocol_transform
from lowlabel.processes.world import World
from lowlabel.training.listing import PretrainData
from lowlabel.training.views.recipe import ViewRecipe

_BATCH = 64
_K = 20


def make_probe(data: PretrainData, views: ViewRecipe, world: World) -> "KNNProbe | None":
    """Makes the main process's probe; None in the other processes.

    Raises:
        InputError: If the dataset has no held-out labels.
        DataError: If the labelled parts share no class.
    """
    bank, queries = data.bank, data.queries
    if bank is None or queries is None:
        raise InputError(
            f"cannot compute a k-NN score: {data.images.dataset} has no held-out labels",
            "Leave --knn-every out, or give a folder with pretext, train and val.",
        )
    if not world.is_main:
        return None
    return KNNProbe(bank, queries, views.global_size, world.device, views.orientation)


class KNNProbe:
    """Weighted k-NN (k = 20, temperature 0.07) of `queries` against `bank`.

    Args:
        bank: Labelled images that vote.
        queries: Labelled images to classify.
        resolution: Side of the images in pixels.
        device: Device to compute on.
        orientation: How images are turned, as in `ViewRecipe`.

    Raises:
        DataError: If the two share no class.
    """

    def __init__(
        self,
        bank: ImageSet,
        queries: ImageSet,
        resolution: int,
        device: torch.device,
        orientation: Orientation = "stored",
    ) -> None:
        if not set(bank.class_names) & set(queries.class_names):
            raise DataError(
                f"cannot compute a k-NN score: {bank.part} and {queries.part} of {bank.dataset} "
                "share no class",
                "Give their class folders the same names, or leave --knn-every out.",
            )
        self._sets = (bank, queries)
        self._transform = replace(protocol_transform(resolution), orientation=orientation)
        self._device = device
        self._k = min(_K, len(bank))

    @torch.no_grad()
    def score(self, backbone: nn.Module) -> float:
        """Top-1 accuracy in percent. The backbone keeps its mode."""
        was_training = backbone.training
        backbone.eval()
        bank, queries = (self._embed(backbone, images) for images in self._sets)
        backbone.train(was_training)
        names = {name: n for n, name in enumerate(self._sets[0].class_names)}
        labels = [
            np.array([names.get(images.class_names[label], -1) for label in images.labels])
            for images in self._sets
        ]
        k = self._k
        result = evaluate_knn(bank, labels[0], queries, labels[1], k=k, device=self._device)
        return result.metrics[f"top1@{k}"]

    def _embed(self, backbone: nn.Module, images: ImageSet) -> torch.Tensor:
        features = []
        for first in range(0, len(images), _BATCH):
            pixels = [
                self._transform.read(images.root / path)
                for path in images.paths[first : first + _BATCH]
            ]
            batch = torch.from_numpy(np.stack(pixels)).to(self._device)
            features.append(backbone(self._transform.normalise(batch, torch.float32)).float())
        return torch.cat(features)
