"""The 95 % interval of an accuracy, from which images were right."""

import math

import numpy as np
from numpy.typing import NDArray

from lowlabel.intervals import student_t

WILSON = "Wilson's 95 % interval over {:,} images"
OF_GROUPS = (
    "Wilson's 95 % interval over {:,} images in {:,} groups: n is the effective sample size, and "
    "Student's t takes the place of the normal distribution"
)
_NORMAL = 1.959963984540054


def wilson(
    correct: NDArray[np.bool_], groups: NDArray[np.int64] | None
) -> tuple[float, float, str]:
    """The interval of a share, which is never empty, not even where every image is right.

    Edwin B. Wilson. Probable Inference, the Law of Succession, and Statistical Inference. JASA
    22(158), 1927. Where images have groups, n is p·(1 − p) / v, with the variance v of the mean
    over groups, at most the number of images, as for clustered samples (Edward L. Korn, Barry I.
    Graubard. Survey Methodology 24(2), 1998); the number of groups where no group differs.

    Args:
        correct: Whether each image is right, [n].
        groups: Group of each image, any integers, [n]; None if each stands alone.

    Returns:
        The lower and the upper end, in percent, and the formula in words.
    """
    images, share, quantile = float(len(correct)), float(correct.mean()), _NORMAL
    definition = WILSON.format(len(correct))
    if groups is not None:
        count, images = _effective(correct, groups)
        quantile = student_t(count - 1) if count > 1 else math.inf
        definition = OF_GROUPS.format(len(correct), count)
    if not math.isfinite(quantile):
        return 0.0, 100.0, definition
    square = quantile**2 / images
    middle = share + square / 2
    width = math.sqrt(square * (share * (1 - share) + square / 4))
    low, high = (middle - width) / (1 + square), (middle + width) / (1 + square)
    return 100 * max(low, 0.0), 100 * min(high, 1.0), definition


def _effective(correct: NDArray[np.bool_], groups: NDArray[np.int64]) -> tuple[int, float]:
    """Number of groups, and the effective sample size."""
    share = correct.mean()
    _, place = np.unique(groups, return_inverse=True)
    sums = np.bincount(place, correct - share)
    count = len(sums)
    variance = count / max(count - 1, 1) * float(sums @ sums) / len(correct) ** 2
    if variance == 0:
        return count, float(count)
    return count, min(float(len(correct)), float(share * (1 - share)) / variance)
