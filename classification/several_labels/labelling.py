"""Matrices of labels: classifiers are scored by how they rank the images for each label."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.arrays import as_label_sets
from lowlabel.classification.labelling.base import GivenLabels, Labelling
from lowlabel.classification.labelling.ties import Columns
from lowlabel.classification.several_labels.label_sets import (
    Sets,
    rarest_labels,
    require_learnable,
    require_same_labels,
    units_of,
)
from lowlabel.classification.several_labels.result import SeveralLabelsResult
from lowlabel.errors import InputError


class GivesScores(Protocol):
    """A fit."""

    def scores(self, x: Any, columns: Columns, /) -> NDArray[np.float64]:
        """Scores of features [M, D] for some labels, [M, columns]."""


@dataclass(frozen=True, eq=False)
class SeveralLabels(Labelling[GivesScores, SeveralLabelsResult]):
    """Whether each image has each label; targets are the matrices, [n, L].

    Attributes:
        test: Whether each test image has each label, [M, L].
        learned: Whether some of train has each label and some has not, [L].
    """

    test: Sets
    learned: Sets

    @classmethod
    def of(cls, given: GivenLabels) -> "SeveralLabels":
        """See `Labelling`."""
        sets = {
            part: as_label_sets(each, images, f"{part} labels", empty=True)
            for part, (each, images) in given.parts.items()
        }
        sets["train"] = given.learned(sets["train"])
        require_same_labels(sets)
        units = units_of(sets["test"], given.groups, given.interval)
        learned = require_learnable(sets["train"])
        validation = sets["validation"] & learned if "validation" in sets else None
        if validation is not None and not validation.any():
            raise InputError(
                f"none of the {len(validation)} validation images has a label that the "
                f"{len(sets['train'])} train images tell",
                "Use the same columns for the labels of train and validation.",
            )
        return cls(
            torch.from_numpy(sets["train"]).to(given.device),
            None if validation is None else torch.from_numpy(validation).to(given.device),
            len(learned),
            rarest_labels(sets["train"]),
            units,
            sets["test"],
            learned,
        )

    def held_out(self, choice: str, alternative: str, seed: int) -> NDArray[np.bool_]:
        """See `Labelling`; some of the held-out images must have a label."""
        held = super().held_out(choice, alternative, seed)
        if not self.train.cpu().numpy()[held].any():
            raise InputError(
                f"no label of the {len(held)} train images has two images: none can be held out to "
                f"choose {choice}",
                f"Give validation images, or {alternative}.",
            )
        return held

    def result(
        self, fit: GivesScores, test: Any, chosen: Mapping[str, object]
    ) -> SeveralLabelsResult:
        """See `Labelling`; what train cannot tell has equal scores."""

        def scores(columns: Columns) -> NDArray[np.float64]:
            return np.where(self.learned[columns], fit.scores(test, columns), 0.0)

        return SeveralLabelsResult.of(scores, self.test, self.learned, self.units, chosen)
