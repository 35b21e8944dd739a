"""What learns from the labels of a budget: the interface, and the arrays that it takes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import Features, Labels
from lowlabel.classification.budget.draw_state import DrawState
from lowlabel.classification.budget.draws import Draws
from lowlabel.specs import Configurable

METRICS = ("top1", "top5", "balanced_accuracy", "macro_f1")
Values = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Tables:
    """The arrays of a label budget.

    Attributes:
        train: Train embeddings, [N, D].
        classes: Class of each train image, 0 … C-1, [N].
        test: Test embeddings, [M, D].
        targets: Class of each test image, int64 [M]; negative for classes without train images.
        base: Features and labels of base classes; None if there are none.
        seed: Random seed of methods that draw random numbers.
    """

    train: Tensor
    classes: NDArray[np.int64]
    test: Tensor
    targets: NDArray[np.int64]
    base: tuple[Features, Labels] | None
    seed: int


@dataclass(frozen=True)
class Learner(Configurable, ABC):
    """A classifier that learns from a draw. Its dataclass fields are its options."""

    @property
    def iterated(self) -> bool:
        """Whether it is iterated or draws random numbers."""
        return True

    @property
    def transductive(self) -> bool:
        """Whether test images are classified together."""
        return False

    @property
    def needs_base(self) -> bool:
        """Whether it uses base classes."""
        return False

    @property
    def needs_non_negative(self) -> bool:
        """Whether it needs features of at least 0."""
        return False

    def unfit(self, tables: Tables) -> str:
        """Why it cannot learn from the embeddings at any budget; empty if it can."""
        if self.needs_base and tables.base is None:
            return "it needs base classes, and there are none"
        negative = self.needs_non_negative and any(t.min() < 0 for t in (tables.train, tables.test))
        return "it needs features without negative values" if negative else ""

    def reason_against(self, tables: Tables, draws: Draws) -> str:
        """Why it cannot learn from the draws of a budget; empty if it can."""
        return ""

    def replaced(self, draws: Draws) -> Mapping[str, int]:
        """Options that the draws do not allow, with what takes their place."""
        return {}

    @abstractmethod
    def values(
        self, tables: Tables, draws: Draws, device: torch.device, state: DrawState
    ) -> Iterator[Values]:
        """Yields, for each draw, a value of each test image for each of `METRICS`, in percent.

        Args:
            tables: The arrays.
            draws: The draws of a budget.
            device: Device to compute on.
            state: The draws that are done, which are left out.
        """
