"""Draws of labelled images: the same for every model and method.

A draw puts the images of each class in a random order. Every budget takes the first images of that
order, so that a larger budget contains the smaller ones of the same draw; different draws are
independent. The order depends only on the seed, the draw's number, and how many images there are.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowlabel.classification.budget.budgets import Budget

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Draws:
    """The labelled images of one budget.

    Attributes:
        budget: The budget.
        rows: Rows of the train table of each draw, class after class, [n] each. A budget that takes
            all images of every class, or those of a list, has one draw.
        sizes: Number of images of each class.
        short: Number of classes that have fewer images than the budget.
    """

    budget: Budget
    rows: tuple[IntArray, ...]
    sizes: tuple[int, ...]
    short: int = 0

    @property
    def labelled(self) -> int:
        """Number of labelled images of a draw."""
        return sum(self.sizes)

    @property
    def used(self) -> IntArray:
        """Rows that are in any draw, ascending."""
        return np.unique(np.concatenate(self.rows))

    @property
    def digest(self) -> str:
        """SHA-256 of the rows and the sizes, the same on every platform."""
        found = hashlib.sha256(f"{self.budget.title}:{self.sizes}:".encode())
        for rows in self.rows:
            found.update(rows.astype("<i8").tobytes())
        return found.hexdigest()


def orders(classes: IntArray, draws: int, seed: int) -> Iterator[IntArray]:
    """Rows of each draw, class after class and in random order within each, [N]."""
    for draw in range(draws):
        # Raw words of a bit generator are stable across numpy's versions.
        words = np.random.PCG64(np.random.SeedSequence((seed, draw))).random_raw(len(classes))
        yield np.lexsort((words, classes))


def drawn(
    budgets: tuple[Budget, ...], classes: IntArray, counts: IntArray, draws: int, seed: int
) -> list[Draws]:
    """Draws for each budget.

    Args:
        budgets: The budgets; those of a list bring their images.
        classes: Class of each train image, 0 … C-1, [N].
        counts: Number of images of each class, [C].
        draws: Number of draws.
        seed: Random seed.
    """
    place = np.arange(len(classes)) - np.repeat(np.cumsum(counts) - counts, counts)
    sizes = [_sizes(budget, classes, counts) for budget in budgets]
    taken = [place < np.repeat(each, counts) for each in sizes]
    rows: list[list[IntArray]] = [[] for _ in budgets]
    for number, order in enumerate(orders(classes, draws, seed)):
        for budget, of_budget, chosen in zip(budgets, rows, taken, strict=True):
            if budget.rows or chosen.all():
                if not number:
                    of_budget.append(_all_rows(budget, classes))
            else:
                of_budget.append(order[chosen])
    return [
        Draws(budget, tuple(found), tuple(each.tolist()), int(budget.short(counts).sum()))
        for budget, found, each in zip(budgets, rows, sizes, strict=True)
    ]


def repeated(draws: Sequence[Draws]) -> dict[str, Draws]:
    """The budgets that label the same images as another one, with that one, by name.

    Of these, a budget stays that no class is short of; then a number of labels per class; then the
    first. Lists are never left out.
    """
    drawn = [each for each in draws if not each.budget.rows]
    kept: dict[tuple[int, ...], Draws] = {}
    for each in sorted(drawn, key=lambda each: (each.short > 0, not each.budget.per_class)):
        kept.setdefault(each.sizes, each)
    return {each.budget.name: kept[each.sizes] for each in drawn if kept[each.sizes] is not each}


def _all_rows(budget: Budget, classes: IntArray) -> IntArray:
    """The images of a list, or all, class after class in their order."""
    rows = np.array(budget.rows, np.int64) if budget.rows else np.arange(len(classes))
    return rows[np.argsort(classes[rows], kind="stable")]


def _sizes(budget: Budget, classes: IntArray, counts: IntArray) -> IntArray:
    if budget.rows:
        return np.bincount(classes[list(budget.rows)], minlength=len(counts))
    return budget.sizes(counts)
