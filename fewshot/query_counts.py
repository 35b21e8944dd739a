"""How many queries of a task are of each class."""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
DRAWS_PER_SHARE = 2


def dirichlet_counts(uniforms: NDArray[np.float64], total: int, most: IntArray) -> IntArray:
    """Divides a task's queries among its classes as Dirichlet(2, …, 2) says.

    Olivier Veilleux, Malik Boudiaf, Pablo Piantanida, Ismail Ben Ayed. Realistic Evaluation of
    Transductive Few-Shot Learning. NeurIPS 2021. arXiv:2204.11181

    The shares are made whole by the largest remainders. What a class is too small for goes to the
    others, the largest first.

    Args:
        uniforms: Independent uniform numbers in [0, 1), [T, ways, 2].
        total: Queries of a task.
        most: How many there can be of each class, [T, ways].

    Returns:
        Counts with the sum `total`, [T, ways].
    """
    gammas = -np.log1p(-uniforms).sum(2)  # two exponentials make a Gamma(2)
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
    """Lays a task's queries out in a row, class by class.

    Args:
        counts: Queries of each class, with the same sum Q in each task, [T, ways].

    Returns:
        The class of each slot and its place among the class's queries, both [T, Q].
    """
    ends = counts.cumsum(1)
    slots = np.arange(ends[0, -1])
    ways = (slots[None, :, None] >= ends[:, None]).sum(2)
    return ways, slots - np.take_along_axis(ends - counts, ways, 1)


def _rank(values: NDArray[np.float64]) -> IntArray:
    """The places of each row's values in their descending order."""
    return np.argsort(np.argsort(-values, 1, kind="stable"), 1, kind="stable")
