"""Votes of neighbours for classes."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lowlabel.arrays import as_counts, require_at_most
from lowlabel.errors import InputError

EQUAL_VOTES = 1e-12  # relative; far above a sum's rounding, far below a neighbour's vote


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
