"""Scores of some labels, in which equal images are ties."""

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.int64]  # of a matrix of labels
_GRID = 2.0**40  # relative


def on_grid(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores [M, L] rounded, so that products of equal images are ties whatever their place."""
    _, exponent = np.frexp(np.abs(scores).max(axis=0))
    step = np.ldexp(1 / _GRID, exponent)
    rounded: NDArray[np.float64] = np.rint(scores / step) * step
    return rounded
