"""Metrics of a classifier's scores, each as the mean of one value per test image.

A metric that is no mean over images (balanced accuracy, F1, AUROC, calibration error) is written
as one by the delta method: the value of an image is the metric plus the image's influence on it.
Then the standard deviation of the values gives the interval, and two classifiers are compared over
the same images, for every metric alike.
"""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CALIBRATION_BINS = 15
_TOP = 5
_BLOCK_ELEMENTS = {"cpu": 2**22}  # of which there are up to eight copies of 8 bytes
_ACCELERATOR_ELEMENTS = 2**24


def classification_values(
    probabilities: Tensor,
    targets: Tensor,
    predicted: Tensor | None = None,
    top5: Tensor | None = None,
    *,
    probabilistic: bool = True,
) -> dict[str, NDArray[np.float64]]:
    """Value of each test image [M] for every metric, in percent; their mean is the metric.

    "top1" (accuracy), "top5", "balanced_accuracy" (mean recall over the test classes), "macro_f1"
    (mean over the classes that are in the test images or predicted), "auroc" (one class against the
    rest, mean over the test classes; ties count half; left out if all images are of one class) are
    those of scikit-learn; "ece" is the expected calibration error over 15 bins of equal width (Guo
    et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv 1706.04599). A class
    without a column is never predicted.

    Args:
        probabilities: Probability of each class, floats [M, C]; rows add up to 1.
        targets: Column of each image's class, int64 [M]; negative for classes without a column,
            a different number for each.
        predicted: Predicted columns, int64 [M]; by default the largest probability, the first of
            equal ones.
        top5: Whether the class is among five, 0 or 1 [M]; by default as `top_hits`.
        probabilistic: Whether "auroc" and "ece" are computed; most of the time goes into them.
    """
    if predicted is None:
        predicted = probabilities.argmax(1)
    if top5 is None:
        top5 = top_hits(probabilities, targets, predicted)
    values = decision_values(predicted, targets, top5)
    if not probabilistic:
        return values
    hits = (predicted == targets).double()
    confidence = probabilities.gather(1, predicted[:, None])[:, 0]
    if (targets != targets[0]).any():
        values["auroc"] = _percent(_auroc(probabilities, targets))
    return values | {"ece": _percent(_calibration_error(confidence, hits))}


def decision_values(
    predicted: Tensor, targets: Tensor, top5: Tensor
) -> dict[str, NDArray[np.float64]]:
    """As `classification_values`, for the metrics that need no probabilities.

    Args:
        predicted: Predicted columns, int64 [M].
        targets: Column of each image's class, int64 [M]; negative for classes without a column,
            a different number for each.
        top5: See `top_hits`.
    """
    hits = (predicted == targets).double()
    return {
        "top1": _percent(hits),
        "top5": _percent(top5),
        "balanced_accuracy": _percent(_balanced_accuracy(hits, targets)),
        "macro_f1": _percent(_macro_f1(predicted, targets)),
    }


def _percent(values: Tensor) -> NDArray[np.float64]:
    percent: NDArray[np.float64] = 100 * values.cpu().numpy()
    return percent


def top_hits(probabilities: Tensor, targets: Tensor, predicted: Tensor) -> Tensor:
    """Whether the class is among the five largest; of equal ones, the first columns are."""
    column = targets.clamp(min=0)[:, None]
    own = probabilities.gather(1, column)
    before = (probabilities > own).sum(1)
    columns = torch.arange(probabilities.shape[1], device=own.device)
    before += ((probabilities == own) & (columns < column)).sum(1)
    return (((before < _TOP) & (targets >= 0)) | (predicted == targets)).double()


def _balanced_accuracy(hits: Tensor, targets: Tensor) -> Tensor:
    _, classes, counts = torch.unique(targets, return_inverse=True, return_counts=True)
    recall = hits.new_zeros(len(counts)).index_add_(0, classes, hits) / counts
    values: Tensor = (hits - recall[classes]) * len(hits) / counts[classes] / len(counts)
    return values.add_(recall.mean())


def _macro_f1(predicted: Tensor, targets: Tensor) -> Tensor:
    """F1 of a class is 2·hits / (its images + its predictions)."""
    labels, both = torch.unique(torch.cat([targets, predicted]), return_inverse=True)
    true, guess = both.split(len(targets))
    hits = (true == guess).double()
    size = torch.bincount(both, minlength=len(labels)).double()
    f1 = 2 * hits.new_zeros(len(labels)).index_add_(0, true, hits) / size
    share = f1 / size
    values: Tensor = 2 * hits / size[true] - share[true] - share[guess]
    return values.mul_(len(targets) / len(labels)).add_(f1.mean())


def _auroc(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Mean over classes of the chance that an image of the class scores above one of the rest.

    The influences are the structural components of DeLong et al. (Biometrics, 1988). A class
    without a column scores 0 everywhere, that is, one half.
    """
    images = len(targets)
    classes = torch.unique(targets)
    scored = classes[classes >= 0]
    total, influence = 0.0, torch.zeros(images, dtype=torch.float64, device=targets.device)
    elements = _BLOCK_ELEMENTS.get(targets.device.type, _ACCELERATOR_ELEMENTS)
    step = max(1, elements // images)
    for start, stop in pairwise([*range(0, len(scored), step), len(scored)]):
        own = targets == scored[start:stop, None]
        area, part = _areas(probabilities[:, scored[start:stop]].T.contiguous(), own)
        total += float(area.sum())
        influence += part.sum(0)
    total += 0.5 * (len(classes) - len(scored))
    return (total + influence) / len(classes)


def _areas(scores: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Area of each class [B], and the influence of each image on it [B, M]."""
    positives = own.sum(1, keepdim=True).double()
    negatives = own.shape[1] - positives
    ordered, order = scores.sort(dim=1)
    below = torch.searchsorted(ordered, scores)
    up_to = torch.searchsorted(ordered, scores, right=True)
    del ordered
    counted = torch.nn.functional.pad(own.gather(1, order).double().cumsum(1), (1, 0))
    del order
    own_below = counted.gather(1, below).add_(counted.gather(1, up_to)).div_(2)
    del counted
    rest_below = below.add_(up_to).double().div_(2).sub_(own_below)
    del below, up_to
    component = torch.where(own, rest_below.div_(negatives), 1 - own_below.div_(positives))
    del rest_below, own_below
    area = (component * own).sum(1, keepdim=True) / positives
    share = torch.where(own, positives, negatives) / own.shape[1]
    return area[:, 0], component.sub_(area).div_(share)


def _calibration_error(confidence: Tensor, hits: Tensor) -> Tensor:
    """Mean over images of the gap between confidence and accuracy of their bin."""
    confidence = confidence.double()
    ends = torch.arange(1, CALIBRATION_BINS, device=confidence.device).double() / CALIBRATION_BINS
    bins = torch.searchsorted(ends, confidence)  # a bin holds its upper end
    gap = confidence - hits
    sign = gap.new_zeros(CALIBRATION_BINS).index_add_(0, bins, gap).sign()
    return gap * sign[bins]
