"""What labels ask of a classifier, so that classifiers of one label and of several share the rest.

A classifier hands the embeddings' labels to a `Labelling`, learns from its targets, and hands its
fit back to have the test images scored.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import Labels
from lowlabel.classification.held_out import held_out_for
from lowlabel.classification.intervals import Units

Fit = TypeVar("Fit", contravariant=True)
Result = TypeVar("Result", covariant=True)


class GivenLabels(NamedTuple):
    """Labels as they were handed in.

    Attributes:
        parts: Labels and number of images of "train", "test" and, if they are used, "validation".
        rows: Rows of train to learn from, int64 [n]; None for all.
        groups: Group of each test image, any integers, [M], if any.
        interval: The kind of interval to show; None for the usual one.
        device: Where targets are needed.
    """

    parts: Mapping[str, tuple[Any, int]]
    rows: NDArray[np.int64] | None
    groups: Labels | None
    interval: str | None
    device: torch.device

    def learned(self, train: NDArray[Any]) -> NDArray[Any]:
        """The train labels to learn from."""
        return train if self.rows is None else train[self.rows]


@dataclass(frozen=True, eq=False)
class Labelling(ABC, Generic[Fit, Result]):
    """Checked labels.

    Attributes:
        train: Target of each image to learn from, [n] or [n, L].
        validation: Target of each validation image; None if there are none.
        outputs: Number of scores of an image.
        strata: Class of each image to learn from, as images are held out, int64 [n].
        units: What intervals are over.
    """

    train: Tensor
    validation: Tensor | None
    outputs: int
    strata: NDArray[np.int64]
    units: Units

    @classmethod
    @abstractmethod
    def of(cls, given: GivenLabels) -> "Labelling[Fit, Result]":
        """Checks labels.

        Raises:
            InputError: If they do not match the images or each other, or nothing can be learned.
        """

    def held_out(self, choice: str, alternative: str, seed: int) -> NDArray[np.bool_]:
        """Whether each image to learn from is held out; see `held_out_for`."""
        return held_out_for(choice, self.strata, alternative, seed=seed)

    @abstractmethod
    def result(self, fit: Fit, test: Any, chosen: Mapping[str, object]) -> Result:
        """Scores the test images.

        Args:
            fit: What was learned.
            test: Their features, as the fit takes them.
            chosen: What was chosen on validation images, with what was tried.
        """
