"""Budgets: how many images of each class have a label."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import InputError, number_of

_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")
_MOST_LISTED = 5


@dataclass(frozen=True)
class Budget:
    """A number of labels per class, a share of each class, or the images of a list.

    Attributes:
        name: "5", "10%", or the name of the list.
        per_class: Number of images of each class; 0 for the other kinds.
        share: Share of each class; 0 for the other kinds.
        rows: Rows of the listed images; empty for the other kinds.
    """

    name: str
    per_class: int = 0
    share: Fraction = Fraction(0)
    rows: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """Its name in tables: "per class 5", "percent 10", "list NAME"."""
        if self.rows:
            return f"list {self.name}"
        return f"percent {self.name[:-1]}" if self.share else f"per class {self.per_class}"

    def sizes(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number of labelled images of each class that has `counts` images, at most all of them.

        A share is rounded to the nearest number, halves up, and every class gets one at least.
        """
        if self.per_class:
            return np.minimum(counts, self.per_class)
        top, bottom = 2 * self.share.numerator, 2 * self.share.denominator
        return np.maximum((counts * top + self.share.denominator) // bottom, 1)

    def short(self, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which classes have fewer images than the budget."""
        short: NDArray[np.bool_] = counts < self.per_class
        return short


def build_budget(budget: int | str | Budget) -> Budget:
    """Builds a budget from a number of labels per class, or a share such as "1%".

    Raises:
        InputError: If it is neither, or not above 0 and at most 100 %.
    """
    if isinstance(budget, Budget):
        return budget
    if isinstance(budget, int | np.integer) and not isinstance(budget, bool) and budget > 0:
        return Budget(str(budget), per_class=int(budget))
    found = _PERCENT.fullmatch(budget.strip()) if isinstance(budget, str) else None
    share = Fraction(found[1]) / 100 if found else Fraction(0)
    if not found or not 0 < share <= 1:
        raise InputError(
            f"budget {budget!r} is neither a number of labels per class, from 1 on, nor a share",
            'Write budgets as 10 or "10%"; shares are above 0 and at most 100 %.',
        )
    return Budget(f"{float(share * 100):g}%", share=share)


def build_budgets(
    budgets: int | str | Budget | Sequence[int | str | Budget],
) -> tuple[Budget, ...]:
    """Builds budgets; one alone need not be in a list.

    Raises:
        InputError: If there is none, one is given twice, or `build_budget` refuses one.
    """
    items = budgets if isinstance(budgets, Sequence) and not isinstance(budgets, str) else [budgets]
    built = tuple(build_budget(item) for item in items)
    if not built:
        raise InputError("no budget is named", 'Write budgets as 10 or "10%".')
    names = [budget.name for budget in built]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"budgets hold {', '.join(twice)} more than once", "Name each budget once."
        )
    return built


def shortage(budget: Budget, names: Sequence[object], counts: NDArray[np.int64]) -> str:
    """Which classes have too few images for a budget, with their counts; empty if none has."""
    short = np.flatnonzero(budget.short(counts))
    if not len(short):
        return ""
    few = short[np.argsort(counts[short], kind="stable")][:_MOST_LISTED]
    listed = ", ".join(f"class {names[place]} has {counts[place]}" for place in few)
    more = f" and {len(short) - len(few):,} more have too few" if len(short) > len(few) else ""
    return (
        f"a budget of {number_of(budget.per_class, 'labels')} per class needs as many images, but "
        f"{listed}{more}"
    )
