"""Results of label budgets, with an interval over draws of labels and test images."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.classification.intervals import Units, over
from lowlabel.classification.result import WithIntervals
from lowlabel.intervals import Interval, jackknife, means_without, normal, student_t

BudgetInterval = Literal["images", "groups", "draws", "classes"]
_DRAWS = "Student's t over {} draws of labels, for these test images"
_BOTH = (
    "t(0.975, ν)·√(s²_D/D + s²_M/M − s²_DM/(D·M)) over D draws of labels and M test images, with "
    "the variances of draw means, image means and the rest, ν by Satterthwaite; 1.96·σ/√M over "
    "test images for a single draw; delta method where the metric is no mean over images"
)
_GROUPS = (
    "t(0.975, ν)·√(s²_D/D + v) over D draws of labels and {} groups of test images, with the "
    "variance v of a jackknife over groups, ν by Satterthwaite"
)
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BudgetResult(WithIntervals):
    """Metrics of one method at one budget, in percent.

    Attributes:
        budget: Name of the budget: "5", "10%".
        method: Spec of the method.
        by_draw: Each metric of each draw, [draws].
        values: By metric, a value of each test image [M], the mean over the draws; their mean is
            the metric.
        squares: By metric, the sum of the squared values of all draws and images.
        units: Classes and groups of the test images, and the kind of interval that is shown.
        labelled: Number of labelled images of a draw.
        classes: Number of train classes.
        counts: What was replaced: classes that are "short" of the budget and have all of their
            images labelled, test images of "unseen" classes, "neighbours" below the method's k.
        task_hash: SHA-256 of the drawn rows; equal for all models and methods.
    """

    budget: str
    method: str
    by_draw: Mapping[str, FloatArray]
    values: Mapping[str, FloatArray]
    squares: Mapping[str, float]
    units: Units
    labelled: int
    classes: int
    task_hash: str
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def draws(self) -> int:
        """Number of different draws; 1 where the budget leaves no choice."""
        return len(next(iter(self.by_draw.values())))

    @property
    def metrics(self) -> dict[str, float]:
        """Each metric, in percent: its mean over the draws."""
        return {name: float(values.mean()) for name, values in self.values.items()}

    @cached_property
    def intervals(self) -> Mapping[str, Mapping[str, Interval]]:
        """The intervals of each metric, by kind.

        "images" is over draws of labels and test images together, "groups" over draws and groups,
        "draws" for these test images, "classes" over classes with the mean of the draws.
        """
        found = {}
        for name, values in self.values.items():
            draws = self.by_draw[name]
            both = two_way_half_width(draws, values, self.squares[name])
            kinds = {
                "images": Interval("images", both, _BOTH),
                "draws": _over_draws(draws),
                "classes": self.units.over_classes(name, values, self.values),
            }
            if self.units.groups is not None:
                kinds["groups"] = _over_groups(draws, means_without(values, self.units.groups))
            found[name] = kinds
        return found


@dataclass(frozen=True, eq=False)
class LabelBudgetResult:
    """Results of every method at every budget.

    Attributes:
        results: One for each budget and method, in this order.
        left_out: Why a method has no result at a budget, by their names.
    """

    results: tuple[BudgetResult, ...]
    left_out: Mapping[tuple[str, str], str]

    def of(self, budget: int | str, method: str) -> BudgetResult:
        """The result of a budget, such as 5 or "10%", and the spec of a method.

        Raises:
            KeyError: If there is none.
        """
        found = {(each.budget, each.method): each for each in self.results}
        return found[str(budget), method]


class Accumulator:
    """Sums over draws that the means and intervals need: memory does not grow with the draws."""

    def __init__(self) -> None:
        self._draws: dict[str, list[float]] = {}
        self._sums: dict[str, FloatArray] = {}
        self._squares: dict[str, float] = {}

    def add(self, values: Mapping[str, FloatArray]) -> None:
        """Adds a draw: a value of each test image for each metric."""
        for name, of_images in values.items():
            self._draws.setdefault(name, []).append(float(of_images.mean()))
            before = self._sums.get(name)
            self._sums[name] = of_images if before is None else before + of_images
            self._squares[name] = self._squares.get(name, 0.0) + float(of_images @ of_images)

    @property
    def draws(self) -> int:
        """Number of draws that were added."""
        return len(next(iter(self._draws.values()), ()))

    @property
    def by_draw(self) -> dict[str, FloatArray]:
        """Each metric of each draw, [draws]."""
        return {name: np.array(means) for name, means in self._draws.items()}

    def state(self) -> dict[str, dict[str, object]]:
        """All sums, as plain data and tensors."""
        sums: dict[str, object] = {k: torch.from_numpy(v) for k, v in self._sums.items()}
        return {"draws": dict(self._draws), "sums": sums, "squares": dict(self._squares)}

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> "Accumulator":
        """The sums of a state."""
        found = cls()
        found._draws = {name: list(means) for name, means in state["draws"].items()}
        found._sums = {name: total.cpu().numpy() for name, total in state["sums"].items()}
        found._squares = dict(state["squares"])
        return found

    @property
    def values(self) -> dict[str, FloatArray]:
        """Mean over the draws of each image's value, [M]."""
        return {name: total / len(self._draws[name]) for name, total in self._sums.items()}

    @property
    def squares(self) -> dict[str, float]:
        """Sum of the squares of each metric's values."""
        return dict(self._squares)


def two_way_half_width(draws: FloatArray, images: FloatArray, squares: float) -> float:
    """Half-width of the 95 % interval of the mean of a table [D, M], over both of its sides.

    The variance of the mean of a crossed design is that of the draw means, plus that of the image
    means, minus the rest that both contain (Peter McCullagh. Resampling and exchangeable arrays.
    Bernoulli 6, 2000); never below the larger of the two.

    Args:
        draws: Mean of each draw, [D].
        images: Mean of each image, [M].
        squares: Sum of the squares of the table.

    Returns:
        The half-width; NaN for a single image.
    """
    d, m = len(draws), len(images)
    if d < 2 or m < 2:
        return normal(images)
    mean = float(images.mean())
    by_draw, by_image = float(draws.var(ddof=1)) / d, float(images.var(ddof=1)) / m
    rest = squares - m * float(draws @ draws) - d * float(images @ images) + d * m * mean**2
    both = max(rest, 0.0) / ((d - 1) * (m - 1)) / (d * m)
    variance = max(by_draw + by_image - both, by_draw, by_image)
    if variance == 0:
        return 0.0
    terms = by_draw**2 / (d - 1) + by_image**2 / (m - 1) + both**2 / ((d - 1) * (m - 1))
    return student_t(variance**2 / terms) * math.sqrt(variance)


def _over_draws(draws: FloatArray) -> Interval:
    without = means_without(draws, np.arange(len(draws)))
    if len(draws) < 2:
        return Interval("draws", math.nan, "none: a single draw")
    return Interval("draws", jackknife(without), _DRAWS.format(len(draws)), without)


def _over_groups(draws: FloatArray, without: FloatArray) -> Interval:
    alone = over("groups", without)
    groups, d = int((~np.isnan(without)).sum()), len(draws)
    if d < 2 or groups < 2:
        return alone
    by_draw = float(draws.var(ddof=1)) / d
    by_group = (alone.half_width / student_t(groups - 1)) ** 2
    if by_draw + by_group == 0:
        return replace(alone, definition=_GROUPS.format(groups))
    freedom = (by_draw + by_group) ** 2 / (by_draw**2 / (d - 1) + by_group**2 / (groups - 1))
    width = student_t(freedom) * math.sqrt(by_draw + by_group)
    return Interval("groups", width, _GROUPS.format(groups), without)
