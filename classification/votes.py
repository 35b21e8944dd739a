"""Votes of neighbours for classes."""

import torch
from torch import Tensor

EQUAL_VOTES = 1e-12  # relative; far above a sum's rounding, far below a neighbour's vote


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
