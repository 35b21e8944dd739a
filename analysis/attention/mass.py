"""The patches that hold most of the attention."""

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import InputError

_ROUNDING = 1e-12  # of a cumulative sum; a patch within it of the limit is outside


def mass_mask(attention: NDArray[np.float64], threshold: float = 0.6) -> NDArray[np.bool_]:
    """Marks the patches that hold a share of the attention, the strongest first.

    As in DINO's code (Caron et al., ICCV 2021, arXiv:2104.14294): patches in ascending order are
    kept where their cumulative share exceeds 1 - threshold. The kept patches hold at least
    `threshold` of the attention to all patches. Of equal patches, the later ones are kept first.

    Args:
        attention: Attention to patches, non-negative, [..., rows, columns].
        threshold: Share of the attention to keep, above 0 and at most 1.

    Returns:
        Whether each patch is kept, [..., rows, columns].

    Raises:
        InputError: If the threshold is out of range, or attention is negative or not finite.
    """
    check_threshold(threshold)
    flat = np.asarray(attention, dtype=np.float64).reshape(*np.shape(attention)[:-2], -1)
    if not (np.isfinite(flat).all() and (flat >= 0).all()):
        raise InputError("attention must be finite and non-negative")
    order = flat.argsort(axis=-1, kind="stable")
    ascending = np.take_along_axis(flat, order, axis=-1)
    total = ascending.sum(axis=-1, keepdims=True)
    share = ascending.cumsum(axis=-1) / np.where(total > 0, total, 1.0)
    kept = np.zeros(flat.shape, dtype=bool)
    np.put_along_axis(kept, order, share > 1 - threshold + _ROUNDING, axis=-1)
    return kept.reshape(np.shape(attention))


def check_threshold(threshold: float) -> None:
    """Raises an `InputError` unless the threshold is above 0 and at most 1."""
    if not 0 < threshold <= 1:
        raise InputError(f"threshold={threshold} must be above 0 and at most 1")
