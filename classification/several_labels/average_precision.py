"""Average precision of a label as VOC 2010 defines it, and what each image adds to it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import InputError

Values = NDArray[np.float64]


class AveragePrecision(NamedTuple):
    """How well one label is found.

    Attributes:
        value: Average precision, from 0 to 1.
        influence: Derivative by the weight of each image times the number of images, [M]: the
            influence function, whose mean is 0.
    """

    value: float
    influence: Values


def average_precision(scores: Values, has_label: NDArray[np.bool_]) -> AveragePrecision:
    """Area under the precision–recall curve, with precision made monotone: VOC 2010, all points.

    Mark Everingham, John Winn. The PASCAL Visual Object Classes Challenge 2010 Development Kit,
    §3.4.1. The precision at a recall is the largest precision at this or any larger recall, and the
    area is summed over all recalls that occur. It is not VOC 2007's mean of eleven precisions, at
    recalls 0, 0.1, …, 1, and not scikit-learn's `average_precision_score`, which sums the same
    steps with each precision as it is: that is never larger, and smaller wherever a later precision
    exceeds an earlier one.

    Images with equal scores are taken together: the curve has one point for all of them, so their
    order does not matter, and constant scores give the share of images with the label.

    Args:
        scores: Score of each image, higher where the label is more likely, finite floats [M].
        has_label: Whether each image has the label, [M]; at least one has.

    Returns:
        The average precision, and the influence of each image.

    Raises:
        InputError: If shapes do not match, scores are not finite, or no image has the label.
    """
    scores, own = np.asarray(scores, dtype=np.float64), np.asarray(has_label, dtype=np.bool_)
    if scores.ndim != 1 or scores.shape != own.shape:
        raise InputError(f"scores have the shape {scores.shape}, has_label {own.shape}")
    if not np.isfinite(scores).all():
        raise InputError("scores hold NaN or infinite values")
    if not own.any():
        raise InputError(f"none of {len(own)} images has the label: it has no average precision")
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # of equal scores
    found, taken = own[order].cumsum()[last], last + 1
    precision = found / taken
    best = np.maximum.accumulate(precision[::-1])[::-1]
    gained = np.diff(found, prepend=0) / found[-1]  # recall that each point adds
    value = float(gained @ best)

    point = np.empty(len(own), dtype=np.int64)  # of each image
    point[order] = np.searchsorted(last, np.arange(len(own)))
    influence = own * (best[point] - value) / found[-1]
    influence += _through_precision(gained, precision, best, taken, own, point)
    return AveragePrecision(value, len(own) * influence)


def _through_precision(
    gained: Values,
    precision: Values,
    best: Values,
    taken: NDArray[np.int64],
    own: NDArray[np.bool_],
    point: NDArray[np.int64],
) -> Values:
    """What the weight of an image changes by way of the precisions at its point and after it.

    The precision p of n images changes by (1 − p)/n with the weight of one that has the label, by
    −p/n with that of another one.
    """
    places = np.arange(len(best))
    highest = np.where(precision == best, places, len(best))
    source = np.minimum.accumulate(highest[::-1])[::-1]  # point whose precision is the best
    per_image = np.bincount(source, gained, minlength=len(best)) / taken
    from_here = np.cumsum(per_image[::-1])[::-1]
    lost = np.cumsum((per_image * precision)[::-1])[::-1]
    return own * from_here[point] - lost[point]
