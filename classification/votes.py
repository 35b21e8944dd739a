"""Votes of neighbours for classes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import (
    Features,
    Labels,
    as_counts,
    as_features,
    as_integers,
    require_at_most,
    require_same_width,
)
from lowlabel.classification.nearest_train import nearest, usual_block
from lowlabel.classification.rows import as_rows, picked
from lowlabel.embeddings import Embeddings
from lowlabel.errors import InputError
from lowlabel.progress import Progress

Value = TypeVar("Value", np.int64, np.bool_)

EQUAL_VOTES = 1e-12  # relative; far above a sum's rounding, far below a neighbour's vote


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of a table, checked.

    Attributes:
        embeddings: The rows.
        images: Number of rows of the whole table.
        rows: The rows that were chosen, int64; None for all.
    """

    embeddings: Embeddings
    images: int
    rows: NDArray[np.int64] | None

    @classmethod
    def of(cls, features: Features, rows: Labels | None, device: torch.device, part: str) -> "Part":
        """Checks features and rows; an `InputError` if one is invalid."""
        table = as_features(features, f"{part} features").to(device)
        chosen = None if rows is None else as_rows(rows, len(table))
        kept, places = picked(table, chosen)
        found = Embeddings.of(kept, f"{part} features", places=places)
        return cls(found, len(table), chosen)

    def chosen(self, labels: NDArray[Value]) -> NDArray[Value]:
        """The labels of the rows, of those of the whole table."""
        return labels if self.rows is None else labels[self.rows]


@dataclass(frozen=True, eq=False)
class Vote:
    """Weighted votes of the nearest train images, as all of `evaluate_knn` takes them.

    Attributes:
        train: Images that vote.
        test: Images that they vote for.
        ks: Numbers of neighbours.
        temperature: Temperature of the votes.
        block_rows: Number of test images per block.
        progress: Called with (test images done, test images) after each block.
    """

    train: Part
    test: Part
    ks: tuple[int, ...]
    temperature: float
    block_rows: int
    progress: Progress | None

    @classmethod
    def of(
        cls,
        train: tuple[Features, Labels | None],
        test: tuple[Features, Labels | None],
        *,
        k: int | Sequence[int],
        temperature: float,
        clip_k: bool,
        block_size: int | None,
        device: torch.device,
        progress: Progress | None,
    ) -> "Vote":
        """Checks features, rows and options; see `evaluate_knn`."""
        require_temperature(temperature)
        voting, wanted = Part.of(*train, device, "train"), Part.of(*test, device, "test")
        widths = {"train": voting.embeddings.dimensions, "test": wanted.embeddings.dimensions}
        require_same_width({f"{part} features": width for part, width in widths.items()})
        ks = voter_counts(k, len(voting.embeddings), clip_k)
        if block_size is None:
            block_size = usual_block(device)
        (block_rows,) = as_integers(1, block_size=block_size)
        return cls(voting, wanted, ks, temperature, block_rows, progress)

    def blocks(self) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Yields test rows, the weights of their votes [B, k] and who votes [B, k], in any order.

        k is the largest of `ks`; the nearest images come first.
        """
        train, test, done = self.train.embeddings, self.test.embeddings, 0
        for block, cosines, neighbours in nearest(train, test, max(self.ks), self.block_rows):
            yield block, ((cosines - cosines[:, :1]) / self.temperature).exp(), neighbours
            done += len(cosines)
            if self.progress is not None:
                self.progress(done, len(test))


def require_temperature(temperature: float) -> None:
    """Raises an `InputError` unless the temperature of votes is a finite number above 0."""
    is_number = isinstance(temperature, int | float | np.integer | np.floating)
    if isinstance(temperature, bool) or not (is_number and 0 < temperature < math.inf):
        raise InputError(f"temperature={temperature!r} must be a finite number above 0")


def voter_counts(k: int | Sequence[int], train_images: int, clip: bool) -> tuple[int, ...]:
    """Checks the numbers of neighbours, or replaces those above the train images by their number.

    Raises:
        InputError: If one is not an integer of at least 1, repeated, or exceeds the train images.
    """
    ks = as_counts(k, "k")
    if clip:
        ks = tuple(dict.fromkeys(min(value, train_images) for value in ks))
    require_at_most("k", ks, train_images, "train images", ", or pass clip_k=True")
    return ks


def class_votes(voted: Tensor, weights: Tensor, classes: int) -> Tensor:
    """Sum of the weights of each class.

    Args:
        voted: Class that each neighbour votes for, int64 [B, k].
        weights: Weight of each vote, float64 [B, k].
        classes: Number of classes.

    Returns:
        Votes, [B, classes].
    """
    return weights.new_zeros(len(weights), classes).scatter_add_(1, voted, weights)


def winners(votes: Tensor) -> Tensor:
    """The class with the most votes, the first of equal ones, [B]."""
    return _win(votes).int().argmax(1)


def shares(votes: Tensor) -> Tensor:
    """Share of the votes [B, classes]; those of classes that win together are exactly equal."""
    levelled = torch.where(_win(votes), votes.max(1, keepdim=True).values, votes)
    return levelled / levelled.sum(1, keepdim=True)


def _win(votes: Tensor) -> Tensor:
    """Whether a class has the most votes, but for rounding, [B, classes]."""
    return votes >= (1 - EQUAL_VOTES) * votes.max(1, keepdim=True).values
