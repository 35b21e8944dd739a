"""Turns what the caller hands in into checked arrays, or says what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.errors import InputError

Features = NDArray[Any] | Tensor
Labels = NDArray[Any] | Tensor | Sequence[int]


@dataclass(frozen=True)
class Table:
    """Checked embeddings.

    Attributes:
        features: float32 [N, D] on the device of the computation, finite.
        labels: Class of each row, [N].
    """

    features: Tensor
    labels: NDArray[np.int64]


def as_table(features: Features, labels: Labels, device: torch.device, name: str = "") -> Table:
    """Checks one set of embeddings and moves it to the device.

    Args:
        features: Floats [N, D], numpy or torch, on any device.
        labels: Integers [N].
        device: Where the arithmetic will run.
        name: What messages put before "features" and "labels": "base ", say.

    Raises:
        InputError: If the shapes or types do not fit, or a row is not finite.
    """
    tensor = _as_tensor(features, name)
    if tensor.ndim != 2 or 0 in tensor.shape:
        raise InputError(
            f"{name}features must be [images, dimensions], not of the shape {tuple(tensor.shape)}"
        )
    if not tensor.is_floating_point():
        raise InputError(f"{name}features must be floats, not {tensor.dtype}")
    tensor = tensor.to(device, torch.float32)
    bad = int((~torch.isfinite(tensor)).any(1).sum())
    if bad:
        raise InputError(
            f"{bad} of {len(tensor)} rows of the {name}features hold NaN or infinity in float32"
        )
    return Table(tensor, _as_labels(labels, len(tensor), name))


def require_same_width(features: Tensor, base: Tensor) -> None:
    """Raises an `InputError` unless both have the same number of dimensions."""
    if features.shape[1] != base.shape[1]:
        raise InputError(
            f"base features have {base.shape[1]} dimensions, the features {features.shape[1]}",
            "Take both from the same model.",
        )


def require_integers(minimum: int, **values: object) -> None:
    """Raises an `InputError` naming the first value that is no integer of at least `minimum`."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
            raise InputError(f"{name}={value!r} must be an integer of at least {minimum}")


def _as_tensor(features: Features, name: str) -> Tensor:
    if isinstance(features, Tensor):
        return features.detach()
    if not isinstance(features, np.ndarray):
        raise InputError(
            f"{name}features must be a numpy array or a torch tensor, not {type(features).__name__}"
        )
    if features.dtype.kind != "f":
        raise InputError(f"{name}features must be floats, not {features.dtype}")
    with np.errstate(over="ignore"):  # infinite entries are counted by the caller
        return torch.from_numpy(np.require(features, np.float32, ["C", "W"]))


def _as_labels(labels: Labels, rows: int, name: str) -> NDArray[np.int64]:
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.dtype.kind not in "iu":
        raise InputError(f"{name}labels must be integers, not {array.dtype}")
    if array.shape != (rows,):
        raise InputError(
            f"{name}labels must be one integer for each of the {rows} rows of {name}features, "
            f"not of the shape {array.shape}"
        )
    return array.astype(np.int64)
