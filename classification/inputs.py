"""Turns what the caller hands in into checked tensors, or says what is wrong with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.errors import InputError

Features = NDArray[Any] | Tensor
Labels = NDArray[Any] | Tensor | Sequence[int]


@dataclass(frozen=True)
class Embeddings:
    """Features [N, D] as given, the norm of each row in float64 [N], and their labels [N]."""

    raw: Tensor
    norm: Tensor
    labels: NDArray[np.int64]

    @classmethod
    def of(
        cls, features: Features, labels: Labels, device: torch.device, name: str
    ) -> "Embeddings":
        """Checks one set of embeddings and moves it to the device.

        Args:
            features: Floats [N, D], numpy or torch.
            labels: Integers [N].
            device: Where the arithmetic will run.
            name: "train" or "test", for messages.

        Raises:
            InputError: If the shapes or types do not fit, or a row is not finite or all zero.
        """
        raw = torch.as_tensor(features).detach()
        if raw.ndim != 2 or 0 in raw.shape:
            raise InputError(
                f"{name} features have the shape {tuple(raw.shape)}; wanted is [images, dimensions]"
            )
        if not raw.is_floating_point():
            raise InputError(f"{name} features are {raw.dtype}, not floats")
        raw = raw.to(device)
        norm = torch.linalg.vector_norm(raw, dim=1, dtype=torch.float64)
        _forbid(~norm.isfinite(), f"{name} features hold NaN or infinite values")
        _forbid(norm == 0, f"{name} features are all zero and have no direction")
        return cls(raw, norm, _as_labels(labels, len(raw), name))

    def __len__(self) -> int:
        return len(self.raw)

    def unit(self, start: int, stop: int) -> Tensor:
        """Rows `start` to `stop` at length 1, in float64."""
        return self.raw[start:stop].double() / self.norm[start:stop, None]


def check_ks(k: int | Sequence[int], train_images: int, clip: bool) -> tuple[int, ...]:
    """The numbers of neighbours, in the order given.

    Raises:
        InputError: If there is none, one is no positive integer, stands twice, or is larger than
            `train_images` and not to be clipped.
    """
    ks = tuple(k) if isinstance(k, Iterable) else (k,)
    if not ks or not all(_is_count(value) for value in ks):
        raise InputError(f"k={k!r} must be one or more integers from 1 up")
    if len(set(ks)) < len(ks):
        raise InputError(f"k={k!r} holds a number more than once")
    if clip:
        ks = tuple(dict.fromkeys(min(value, train_images) for value in ks))
    if max(ks) > train_images:
        raise InputError(
            f"k={max(ks)} neighbours are wanted of {train_images} train images",
            f"Choose k of at most {train_images}, or pass clip_k=True.",
        )
    return tuple(int(value) for value in ks)


def check_block_size(block_size: int | None, default: int) -> int:
    """The block size, or the default for None; an `InputError` unless it is a positive integer."""
    if block_size is None:
        return default
    if not _is_count(block_size):
        raise InputError(f"block_size={block_size!r} must be an integer from 1 up")
    return int(block_size)


def _is_count(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 1


def _forbid(bad: Tensor, what: str) -> None:
    if bad.any():
        raise InputError(
            f"{int(bad.sum())} of {len(bad)} rows of {what}",
            "Look at the images and the model that gave them.",
        )


def _as_labels(labels: Labels, images: int, name: str) -> NDArray[np.int64]:
    array = labels.detach().cpu().numpy() if isinstance(labels, Tensor) else np.asarray(labels)
    if array.dtype.kind not in "iu":
        raise InputError(f"{name} labels are {array.dtype}, not integers")
    if array.shape != (images,):
        raise InputError(f"{name} labels have the shape {array.shape} for {images} images")
    if array.dtype == np.uint64 and array.max() > np.iinfo(np.int64).max:
        raise InputError(f"{name} labels go up to {array.max()}, beyond int64")
    return array.astype(np.int64)
