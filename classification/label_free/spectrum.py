"""Singular values of embeddings, and the measures that are functions of them.

They are the roots of the eigenvalues of the second moment [D, D] (of [N, N] where there are fewer
images than dimensions), in float64, summed over blocks. A second moment holds squares: singular
values below 1e-7 of the largest can be lost in its rounding and count as zero.
"""

import math

import torch
from torch import Tensor

from lowlabel.scale import magnitudes, power_of_two

RANKME_EPSILON = 1e-7
_LOST = 64 * torch.finfo(torch.float64).eps  # of the largest eigenvalue
_NO_SPREAD = 1e-12  # of the largest singular value of the rows that were centred
_BLOCK_ELEMENTS = 2**20


def row_blocks(rows: int, dimensions: int) -> list[slice]:
    """Slices of rows whose float64 copy takes 8 MiB."""
    step = max(1, _BLOCK_ELEMENTS // dimensions)
    return [slice(first, min(first + step, rows)) for first in range(0, rows, step)]


def spectra(features: Tensor) -> tuple[Tensor, Tensor]:
    """Singular values of the features, and of the features minus their mean; descending.

    Args:
        features: Floats [N, D].

    Returns:
        float64 [min(N, D)] each, divided by one power of two. Those of the centred features are all
        zero if rounding explains them.
    """
    images, dimensions = features.shape
    scale = power_of_two(magnitudes(features).max()).double()
    blocks = row_blocks(images, dimensions)
    mean = torch.zeros(dimensions, dtype=torch.float64, device=features.device)
    for block in blocks:
        mean += features[block].to(torch.float64, copy=True).div_(scale).sum(0)
    mean /= images
    raw = _singular_values(features, scale, torch.zeros_like(mean))
    centred = _singular_values(features, scale, mean)
    return raw, torch.where(centred[0] > _NO_SPREAD * raw[0], centred, 0.0)


def rankme(values: Tensor) -> float:
    """Exponential of the entropy of the shares p_k = s_k / Σs + 1e-7."""
    shares = values / values.sum() + RANKME_EPSILON
    return math.exp(-float((shares * shares.log()).sum()))


def effective_rank(values: Tensor) -> float:
    """Exponential of the entropy of the shares s_k / Σs; NaN if all are zero."""
    shares = values / values.sum()
    return math.exp(-float(torch.special.xlogy(shares, shares).sum()))


def stable_rank(values: Tensor) -> float:
    """Σs² / s₁²; NaN if all are zero."""
    return float((values / values[0]).square().sum())


def decay(values: Tensor, first: int, last: int) -> tuple[float, int]:
    """Slope α of the eigenvalues s_k² ∝ k^−α, by least squares in log-log.

    Ranks are weighted by 1/k, so that each stretch of log k counts alike.

    Args:
        values: Singular values, descending.
        first: First rank of the fit, from 1.
        last: Last rank; the fit ends at the last value above zero if that comes first.

    Returns:
        α, NaN with fewer than two ranks, and the number of ranks.
    """
    last = min(last, int((values > 0).sum()))
    if last <= first:
        return math.nan, max(0, last - first + 1)
    ranks = torch.arange(first, last + 1, dtype=torch.float64, device=values.device)
    weights = 1 / ranks / (1 / ranks).sum()
    x, y = ranks.log(), 2 * values[first - 1 : last].log()
    x, y = x - (weights * x).sum(), y - (weights * y).sum()
    return -float((weights * x * y).sum() / (weights * x * x).sum()), len(ranks)


def _singular_values(features: Tensor, scale: Tensor, centre: Tensor) -> Tensor:
    """Singular values of features / scale − centre [D], descending."""
    images, dimensions = features.shape
    side = min(images, dimensions)
    moment = torch.zeros(side, side, dtype=torch.float64, device=features.device)
    if dimensions <= images:
        for block in row_blocks(images, dimensions):
            rows = features[block].to(torch.float64, copy=True).div_(scale).sub_(centre)
            moment.addmm_(rows.T, rows)
    else:
        for block in row_blocks(dimensions, images):
            columns = (
                features[:, block].to(torch.float64, copy=True).div_(scale).sub_(centre[block])
            )
            moment.addmm_(columns, columns.T)
    eigenvalues = torch.linalg.eigvalsh(moment).flip(0)
    return torch.where(eigenvalues > _LOST * eigenvalues[0], eigenvalues, 0.0).sqrt()
