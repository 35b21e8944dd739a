"""The scores of every task, query or image of a record: an `.npz` beside its JSON.

It also holds what the interval of a paired difference is made of; see
`lowlabel.intervals.Interval.replicates`.
"""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.npz import read_npz
from lowlabel.reading import reading

REPEAT = "Delete the record and repeat the `lowlabel run` that made it; cached features are kept."
PerItem = Mapping[str, NDArray[np.floating]]
Replicates = Mapping[str, Mapping[str, NDArray[np.floating]]]
_OF_KIND = "::"  # "accuracy::images" are the replicates of a metric and a kind of interval


def scores_path(record: Path) -> Path:
    """Path of the scores of the record at `record`."""
    return record.with_suffix(".npz")


def joined(per_item: PerItem, replicates: Replicates) -> dict[str, NDArray[np.floating]]:
    """All arrays of the file by their names in it."""
    named = {
        f"{metric}{_OF_KIND}{kind}": values
        for metric, kinds in replicates.items()
        for kind, values in kinds.items()
    }
    return {**per_item, **named}


def parted(arrays: PerItem) -> tuple[PerItem, Replicates]:
    """The inverse of `joined`."""
    per_item = {name: values for name, values in arrays.items() if _OF_KIND not in name}
    replicates: dict[str, dict[str, NDArray[np.floating]]] = {}
    for name in arrays.keys() - per_item.keys():
        metric, _, kind = name.partition(_OF_KIND)
        replicates.setdefault(metric, {})[kind] = arrays[name]
    return per_item, replicates


def hash_scores(per_item: PerItem) -> str:
    """SHA-256 of the metrics' names, in alphabetical order, and of their values."""
    digest = hashlib.sha256()
    for metric, values in sorted(per_item.items()):
        digest.update(f"{metric}\0{values.dtype.str}\0{values.shape}\0".encode())
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def encode_scores(per_item: PerItem) -> bytes:
    """The content of the file of the scores."""
    arrays: dict[str, Any] = dict(per_item)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def read_scores(record: Path) -> dict[str, NDArray[np.floating]]:
    """Reads the scores of the record at `record`.

    Raises:
        DataError: If the file is missing or damaged.
    """
    path = scores_path(record)
    with reading(path, f"cannot read {path}, the scores of the record {record.name}", REPEAT):
        return read_npz(path)
