"""Features in the coordinates of their own span, for methods that a rotation does not change."""

from dataclasses import replace

import torch
from torch import Tensor

from lowlabel.fewshot.methods import Method
from lowlabel.fewshot.preparation.prepared import Prepared

_MOST_IMAGES = 1024  # beyond, the rotation takes longer than it saves
_NARROWER = 2  # times, from which it pays


def in_span(method: Method, prepared: Prepared) -> Prepared:
    """Rotates features with more dimensions than images into as many dimensions as images.

    All inner products and distances stay, up to the rounding of float32, so that tasks of pixels
    or of flattened maps take a fraction of the memory and time. Features are left as they are where
    the method is not invariant to rotations, or little would be gained.

    Args:
        method: The method.
        prepared: Features [N, D] as the method takes them.

    Returns:
        The same with features [N, n] of n distinct rows; equal ones stay equal.
    """
    features = prepared.features
    images, dimensions = features.shape
    if not method.rotation_invariant or not isinstance(features, Tensor):
        return prepared
    if images > _MOST_IMAGES or dimensions < _NARROWER * images:
        return prepared
    distinct, place = torch.unique(features, dim=0, return_inverse=True)
    factor = torch.linalg.qr(distinct.double().T, mode="r").R
    return replace(prepared, features=factor.T.to(features.dtype)[place])
