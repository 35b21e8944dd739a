"""A part of the train images on which hyper-parameters are chosen."""

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import InputError, number_of

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

    Raises:
        InputError: If the share is not between 0 and 1.
    """
    is_number = isinstance(share, float | np.floating)
    if not (is_number and 0 < share < 1):
        raise InputError(f"share={share!r} must be a number between 0 and 1")
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    _, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    wanted = np.minimum(np.maximum(np.rint(share * counts), 1), counts - 1)
    place = np.arange(len(labels)) - np.repeat(starts, counts)
    chosen = np.zeros(len(labels), np.bool_)
    chosen[order] = place < np.repeat(wanted, counts)
    return chosen


def held_out_for(
    choice: str, labels: NDArray[np.int64], alternative: str, *, seed: int
) -> NDArray[np.bool_]:
    """As `held_out`, to choose something on; an `InputError` if no class has two images.

    Args:
        choice: What is chosen, for the message.
        labels: Class of each image, integers [N].
        alternative: How to go without a choice, for the message.
        seed: Random seed.
    """
    held = held_out(labels, seed=seed)
    if not held.any():
        raise InputError(
            f"no class of the {number_of(len(labels), 'train images')} has two images: none can "
            f"be held out to choose {choice}",
            f"Give validation images, or {alternative}.",
        )
    return held
