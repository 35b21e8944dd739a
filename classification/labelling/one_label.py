"""Labels that name one class of each image: classifiers are scored by their probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from lowlabel.arrays import as_labels
from lowlabel.classification.classes import number_classes, validation_columns
from lowlabel.classification.intervals import Units
from lowlabel.classification.labelling.base import GivenLabels, Labelling
from lowlabel.classification.metrics import classification_values
from lowlabel.classification.result import ClassifierResult


class GivesProbabilities(Protocol):
    """A fit."""

    def probabilities(self, x: Any, /) -> Tensor:
        """Probabilities of features [M, D], [M, C]."""


@dataclass(frozen=True, eq=False)
class OneLabel(Labelling[GivesProbabilities, ClassifierResult]):
    """The class of each image; targets are columns of the sorted train classes.

    Attributes:
        test: Column of each test image, int64 [M]; negative for classes that train lacks.
        probabilistic: Whether AUROC and calibration error are computed too.
    """

    test: Tensor
    probabilistic: bool

    @classmethod
    def of(cls, given: GivenLabels, *, probabilistic: bool = True) -> "OneLabel":
        """See `Labelling`."""
        labels = {
            part: as_labels(each, images, f"{part} labels")
            for part, (each, images) in given.parts.items()
        }
        train = given.learned(labels["train"])
        units = Units.of(labels["test"], given.groups, given.interval)
        names, train_columns, test_columns = number_classes(train, labels["test"])
        validation = None
        if "validation" in labels:
            columns = validation_columns(train, labels["validation"])
            validation = torch.from_numpy(columns).to(given.device)
        return cls(
            torch.from_numpy(train_columns).to(given.device),
            validation,
            len(names),
            train,
            units,
            torch.from_numpy(test_columns).to(given.device),
            probabilistic,
        )

    def result(
        self, fit: GivesProbabilities, test: Any, chosen: Mapping[str, object]
    ) -> ClassifierResult:
        """See `Labelling`."""
        values = classification_values(
            fit.probabilities(test), self.test, probabilistic=self.probabilistic
        )
        unseen = int((self.test < 0).sum())
        return ClassifierResult(values, self.outputs, unseen, self.units, chosen)
