"""Reads the gallery images that each query should find, and those that are ignored."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lowlabel.errors import InputError

GroundTruth = Sequence[Mapping[str, Any]]


def read_ground_truth(
    ground_truth: GroundTruth, keys: Sequence[str], queries: int, images: int
) -> dict[str, list[Tensor]]:
    """Returns rows in the gallery, int64 [n], by key and query.

    Args:
        ground_truth: One entry per query.
        keys: Keys to read from each entry.
        queries: Number of queries.
        images: Number of gallery images.

    Raises:
        InputError: If there is not one entry per query, a key is missing, or rows are not
            integers, do not exist in the gallery, or are repeated for one query.
    """
    if len(ground_truth) != queries:
        raise InputError(f"the ground truth has {len(ground_truth)} entries for {queries} queries")
    read: dict[str, list[Tensor]] = {key: [] for key in keys}
    for number, entry in enumerate(ground_truth):
        for key in keys:
            read[key].append(_rows(entry, key, f"ground_truth[{number}]", images))
        together = torch.cat([read[key][-1] for key in keys])
        values, times = together.unique(return_counts=True)
        if len(values) < len(together):
            raise InputError(
                f"ground_truth[{number}] names image {values[times > 1][0]} more than once "
                f"among {', '.join(keys)}"
            )
    return read


def _rows(entry: Mapping[str, Any], key: str, name: str, images: int) -> Tensor:
    if key not in entry:
        raise InputError(f"{name} has no {key!r}; it has: {', '.join(map(str, entry)) or 'none'}")
    rows = np.asarray(entry[key])
    if rows.size == 0:
        return torch.empty(0, dtype=torch.int64)
    if rows.dtype.kind not in "iu" or rows.ndim != 1:
        raise InputError(f"{name}[{key!r}] is {rows.dtype} {rows.shape}, not a list of integers")
    outside = rows[(rows < 0) | (rows >= images)]
    if len(outside):
        raise InputError(
            f"{name}[{key!r}] names {len(outside)} images that do not exist, the first "
            f"{outside[0]}: the gallery has {images:,}",
            "The gallery must hold the images of the ground truth's list, in the same order.",
        )
    return torch.from_numpy(rows.astype(np.int64))
