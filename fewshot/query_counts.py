"""Number of queries of each class in a task."""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
DRAWS_PER_SHARE = 2


def dirichlet_counts(uniforms: NDArray[np.float64], total: int, most: IntArray) -> IntArray:
    """Divides a task's queries among its classes by shares from Dirichlet(2, …, 2).

    Olivier Veilleux, Malik Boudiaf, Pablo Piantanida, Ismail Ben Ayed. Realistic Evaluation of
    Transductive Few-Shot Learning. NeurIPS 2021. arXiv:2204.11181

    Shares are rounded to whole counts by the largest remainders. Queries that a class is too small
    for go to the other classes, in descending order of share.

    Args:
        uniforms: Independent uniform numbers in [0, 1), [T, ways, 2].
        total: Number of queries per task.
        most: Largest possible count of each class, [T, ways].

    Returns:
        Counts that sum to `total`, [T, ways].
    """
    gammas = -np.log1p(-uniforms).sum(2)  # the sum of two exponentials is a Gamma(2)
    exact = total * gammas / gammas.sum(1, keepdims=True)
    counts: IntArray = np.floor(exact).astype(np.int64)
    counts += _rank(exact - counts) < (total - counts.sum(1, keepdims=True))
    counts = np.minimum(counts, most)
    by_share = np.argsort(-exact, 1, kind="stable")
    room = np.take_along_axis(most - counts, by_share, 1)
    missing = total - counts.sum(1, keepdims=True)
    given = np.clip(missing - (room.cumsum(1) - room), 0, room)
    counts += np.take_along_axis(given, np.argsort(by_share, 1), 1)
    return counts


def query_slots(counts: IntArray) -> tuple[IntArray, IntArray]:
    """Lays out the queries of each task in a row, class by class.

    Args:
        counts: Number of queries of each class, with the same sum Q in each task, [T, ways].

    Returns:
        The class of each slot and its index among the class's queries, both [T, Q].
    """
    ends = counts.cumsum(1)
    slots = np.arange(ends[0, -1])
    ways = (slots[None, :, None] >= ends[:, None]).sum(2)
    return ways, slots - np.take_along_axis(ends - counts, ways, 1)


def _rank(values: NDArray[np.float64]) -> IntArray:
    """Rank of each value in its row, in descending order."""
    return np.argsort(np.argsort(-values, 1, kind="stable"), 1, kind="stable")
