"""Labelled images that classifiers learn from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import Features, Labels, as_features, as_labels, refuse_rows
from lowlabel.classification.budget.budgets import Budget, build_budget
from lowlabel.classification.budget.draws import Draws
from lowlabel.classification.budget.learner import Tables
from lowlabel.classification.classes import number_classes
from lowlabel.classification.predict.candidates import Classifier
from lowlabel.devices import scoring_device
from lowlabel.errors import InputError
from lowlabel.scale import magnitudes

_ALL: Budget = build_budget("100%")


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labelled images.

    Attributes:
        features: Embeddings, [N, D].
        classes: Class of each image, 0 … C-1, [N].
        labels: Label of each class, rising, [C].
        seed: Random seed of methods that draw random numbers.
        device: Device to compute on.
    """

    features: Tensor
    classes: NDArray[np.int64]
    labels: NDArray[np.int64]
    seed: int
    device: torch.device

    @classmethod
    def of(
        cls, features: Features, labels: Labels, seed: int, device: str | torch.device
    ) -> "Labelled":
        """Checks the arrays.

        Raises:
            InputError: If they do not match, are not finite, zero or all equal, or have a single
                class.
        """
        place = scoring_device(device)
        rows = with_direction(features, "features", place)
        given = as_labels(labels, len(rows))
        found, classes, _ = number_classes(given, given)
        if bool((rows == rows[0]).all()):
            raise InputError(
                f"all {len(rows):,} rows of features are equal, so they tell no classes apart",
                "Check the model that produced them.",
            )
        return cls(rows, classes, found, seed, place)

    def reason_against(self, learner: Classifier, new: Tensor) -> str:
        """Why a method cannot learn from all images and score new ones; empty if it can."""
        tables, draws = self._task(np.arange(len(self.classes)), new)
        return learner.unfit(tables) or learner.reason_against(tables, draws)

    def scores(
        self, learner: Classifier, rows: NDArray[np.int64], new: Tensor
    ) -> tuple[NDArray[np.int64], Iterator[Tensor]]:
        """Learns from some of the images.

        Args:
            learner: The method.
            rows: The images to learn from.
            new: Embeddings of images to score, [M, D].

        Returns:
            The classes that these images have, [c], and the scores of the next new images for each
            of them, [m, c]; the first of the largest is the prediction.
        """
        tables, draws = self._task(rows, new)
        return np.unique(self.classes[rows]), next(learner.scores(tables, draws, self.device))

    def predicted(
        self, learner: Classifier, rows: NDArray[np.int64], new: Tensor
    ) -> NDArray[np.int64]:
        """The class of each new image, learned from some of the images, [M]."""
        present, blocks = self.scores(learner, rows, new)
        best = torch.cat([scores.argmax(1) for scores in blocks]).cpu().numpy()
        return present.take(best)

    def _task(self, rows: NDArray[np.int64], new: Tensor) -> tuple[Tables, Draws]:
        _, numbered = np.unique(self.classes[rows], return_inverse=True)
        classes = np.full(len(self.classes), -1, np.int64)
        classes[rows] = numbered
        ordered = rows[np.argsort(numbered, kind="stable")]
        sizes = tuple(np.bincount(numbered).tolist())
        unknown = np.full(len(new), -1, np.int64)
        tables = Tables(self.features, classes, new, unknown, None, self.seed)
        return tables, Draws(_ALL, (ordered,), sizes)


def with_direction(features: Features, name: str, device: torch.device) -> Tensor:
    """Converts features [N, D] to a tensor on the device.

    Raises:
        InputError: If they are not a matrix of floats, or a row is not finite or all zero.
    """
    rows = as_features(features, name).to(device)
    sizes = magnitudes(rows)[:, 0]
    refuse_rows(~sizes.isfinite(), name, "hold NaN or infinite values")
    refuse_rows(sizes == 0, name, "are all zero and have no direction")
    return rows
