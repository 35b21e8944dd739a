"""Measures of rows of length 1: their spread, their uniformity, and how near a class lies.

Each function returns a value of every image whose mean is the measure, and whose standard error is
that of the measure by the delta method; NaN for an image that takes no part.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.classification.label_free.spectrum import row_blocks
from lowlabel.scale import unit

_TEMPERATURE = 2.0  # t of exp(−t·‖x − y‖²)
_PAIR_BLOCK = 512


def feature_std(features: Tensor) -> Tensor:
    """Standard deviation (n − 1) of each dimension of the unit rows, averaged over dimensions [N].

    0 if all directions are equal, 1/√D if they are spread evenly.
    """
    images, dimensions = features.shape
    blocks = row_blocks(images, dimensions)
    mean = torch.zeros(dimensions, dtype=torch.float64, device=features.device)
    squares = torch.zeros_like(mean)
    for block in blocks:
        mean += _unit(features[block]).sum(0)
    mean /= images
    for block in blocks:
        squares += (_unit(features[block]) - mean).square_().sum(0)
    deviation = (squares / (images - 1)).sqrt()
    scale = torch.where(deviation > 0, 1 / (2 * deviation), 0.0)
    values = torch.empty(images, dtype=torch.float64, device=features.device)
    for block in blocks:
        squared = (_unit(features[block]) - mean).square_() * (images / (images - 1))
        values[block] = (deviation + (squared - deviation.square()) * scale).mean(1)
    return values


def uniformity(features: Tensor, chosen: NDArray[np.int64]) -> Tensor:
    """Logarithm of the mean of exp(−2·‖x − y‖²) over the pairs of the chosen rows [N].

    Args:
        features: Floats [N, D].
        chosen: The rows whose pairs are compared, two at least.
    """
    rows = torch.from_numpy(chosen).to(features.device)
    directions = _unit(features[rows])
    total = torch.zeros(len(rows), dtype=torch.float64, device=features.device)
    for first in range(0, len(rows), _PAIR_BLOCK):
        block = directions[first : first + _PAIR_BLOCK]
        nearness = block @ directions[first:].T
        nearness.sub_(1).mul_(2 * _TEMPERATURE).exp_()  # ‖x − y‖² = 2 − 2·x·y
        nearness[:, : len(block)].triu_(1)
        total[first : first + len(block)] += nearness.sum(1)
        total[first:] += nearness.sum(0)
    mean = total / (len(rows) - 1)
    values = torch.full((len(features),), torch.nan, dtype=torch.float64, device=features.device)
    values[rows] = mean.mean().log() + 2 * (mean / mean.mean() - 1)
    return values


def class_alignment(features: Tensor, labels: NDArray[np.int64]) -> Tensor:
    """Mean of ‖x − y‖² over the other images y of the class of x, averaged over images x [N].

    Images that are alone in their class take no part.

    Args:
        features: Floats [N, D].
        labels: Class of each image [N].
    """
    _, columns, counts = np.unique(labels, return_inverse=True, return_counts=True)
    classes = torch.from_numpy(columns).to(features.device)
    size = torch.from_numpy(counts).to(features.device).double()
    sums = torch.zeros(len(counts), features.shape[1], dtype=torch.float64, device=features.device)
    blocks = row_blocks(*features.shape)
    for block in blocks:
        sums.index_add_(0, classes[block], _unit(features[block]))
    inner = torch.empty(len(features), dtype=torch.float64, device=features.device)
    for block in blocks:
        inner[block] = (_unit(features[block]) * sums[classes[block]]).sum(1)
    own = size[classes]
    distance = (2 * (own - inner) / (own - 1)).clamp_(min=0)  # Σ (2 − 2·x·y) / (n − 1)
    distance[own == 1] = torch.nan
    of_class = torch.zeros_like(size).index_add_(0, classes, distance) / size
    return 2 * distance - of_class[classes]


def _unit(rows: Tensor) -> Tensor:
    return unit(rows.double())
