"""A part of the train images on which hyper-parameters are chosen."""

import numpy as np
from numpy.typing import NDArray

SHARE = 0.1


def held_out(
    labels: NDArray[np.int64], share: float = SHARE, *, seed: int = 0
) -> NDArray[np.bool_]:
    """Draws a share of each class.

    One image at least of every class that has two or more, none of a class that has one, and never
    all of a class.

    Args:
        labels: Class of each image, integers [N].
        share: Share of each class, between 0 and 1.
        seed: Random seed.

    Returns:
        Whether each image is held out, [N].
    """
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    _, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    wanted = np.minimum(np.maximum(np.rint(share * counts), 1), counts - 1)
    place = np.arange(len(labels)) - np.repeat(starts, counts)
    chosen = np.zeros(len(labels), np.bool_)
    chosen[order] = place < np.repeat(wanted, counts)
    return chosen
