"""What logistic regression fits: the classes of images, or each of several labels."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from torch import Tensor

from lowlabel.classification.logistic.path import LogisticFit, fit_path
from lowlabel.classification.rows import Rows

Tick = Callable[[], object]


class Fitted(Protocol):
    """A fit with one C."""

    @property
    def c(self) -> float:
        """Inverse strength of the penalty."""

    @property
    def steps(self) -> int:
        """Number of Newton steps."""

    @property
    def converged(self) -> bool:
        """Whether the objective is within the tolerance of its minimum."""


F = TypeVar("F", bound=Fitted)


class Problem(Protocol, Generic[F]):
    """Fits targets for several C, and judges the fits."""

    def fits(
        self,
        x: Rows,
        targets: Tensor,
        cs: Sequence[float],
        start: F | None,
        max_iter: int,
        tick: Tick,
    ) -> Iterator[F]:
        """Yields the fit of each C, in ascending order.

        Args:
            x: Features to learn from, [N, D].
            targets: What to learn, [N] or [N, L].
            cs: The values of C, in ascending order.
            start: Where to start.
            max_iter: Largest number of Newton steps of a fit.
            tick: Called after each Newton step.
        """

    def quality(self, fitted: F, x: Rows, targets: Tensor) -> float:
        """How good a fit is on images to choose on, from 0 to 1."""


class Multinomial:
    """One class of several.

    Args:
        classes: Number of classes.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def fits(
        self,
        x: Rows,
        targets: Tensor,
        cs: Sequence[float],
        start: LogisticFit | None,
        max_iter: int,
        tick: Tick,
    ) -> Iterator[LogisticFit]:
        """See `Problem`."""
        return fit_path(x, targets, self.classes, cs, start=start, max_iter=max_iter, tick=tick)

    def quality(self, fitted: LogisticFit, x: Rows, targets: Tensor) -> float:
        """Top-1 accuracy; targets of classes that train lacks are negative."""
        return fitted.accuracy(x, targets)
