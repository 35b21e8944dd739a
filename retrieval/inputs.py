"""Turns what the caller hands in into checked tensors, or says what is wrong with it."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.errors import InputError, UnknownNameError

Array = NDArray[Any] | Tensor


def as_features(features: Array, name: str = "features") -> Tensor:
    """Features [N, D] as a contiguous float32 or float64 tensor, sharing memory where it can.

    Raises:
        InputError: If they are no matrix of floats.
    """
    tensor = features.detach() if isinstance(features, Tensor) else _from_numpy(features, name)
    if tensor.ndim != 2 or 0 in tensor.shape:
        raise InputError(
            f"{name} have the shape {tuple(tensor.shape)}; wanted is [images, dimensions]"
        )
    if not tensor.is_floating_point():
        raise InputError(f"{name} are {tensor.dtype}, not floats", "Convert them to float32.")
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()
    return tensor.contiguous()


def as_labels(labels: Array | Sequence[int], images: int, name: str = "labels") -> Tensor:
    """Labels [N] as int64: integers all the way, so that large class ids stay apart.

    Raises:
        InputError: If they are no integers, or not one for each of the `images`.
    """
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.dtype.kind not in "iu":
        raise InputError(
            f"{name} are {array.dtype}, not integers",
            "Float labels merge class ids above 2**24; number the classes with integers.",
        )
    if array.shape != (images,):
        raise InputError(f"{name} have the shape {array.shape} for {images} images")
    if array.dtype == np.uint64 and array.max() > np.iinfo(np.int64).max:
        raise InputError(f"{name} go up to {array.max()}, beyond int64")
    return torch.from_numpy(array.astype(np.int64))


def check_ks(ks: Sequence[int], gallery: int) -> tuple[int, ...]:
    """The K of Recall@K, in the order given.

    Raises:
        InputError: If there is none, one is no positive integer or stands twice, or one is larger
            than the `gallery` that a query is compared with.
    """
    values = tuple(ks)
    if not values or not all(isinstance(k, int | np.integer) and k >= 1 for k in values):
        raise InputError(f"ks={values} must hold one or more integers from 1 up")
    if len(set(values)) < len(values):
        raise InputError(f"ks={values} holds a K more than once")
    if max(values) > gallery:
        raise InputError(
            f"ks={values}: a query has only {gallery} other images to be ranked",
            f"Choose ks of at most {gallery}.",
        )
    return tuple(int(k) for k in values)


def check_block_size(value: int) -> int:
    """A number of rows; anything but an integer from 1 up is an `InputError`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise InputError(f"block_size={value!r} must be an integer from 1 up")
    return int(value)


def check_name(kind: str, name: str, known: Sequence[str]) -> None:
    """An `UnknownNameError` for a name that is not known."""
    if name not in known:
        raise UnknownNameError(kind, name, known)


def _from_numpy(features: NDArray[Any], name: str) -> Tensor:
    array = np.asarray(features)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} are {array.dtype}, not floats")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # only read
        return torch.from_numpy(array)
