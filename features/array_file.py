"""Arrays in a `.npz` or `.h5` file or a pickle, if the file itself holds every number."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lowlabel.datasets.io.class_pickle import CLASS_PICKLES, read_class_pickle
from lowlabel.datasets.io.hdf5 import hdf5_key, hdf5_names, open_hdf5, read_hdf5
from lowlabel.errors import DataError
from lowlabel.features.store_format import SCHEMA
from lowlabel.npz import npz_names, read_npz
from lowlabel.reading import reading

Arrays = dict[str, NDArray[Any]]
_HDF5 = (".h5", ".hdf5")


def read_arrays(path: Path, names: Iterable[str]) -> tuple[Arrays, dict[str, Any] | None]:
    """Reads those arrays of `names` that a file has; no code in a pickle is run.

    Half precision becomes float32 as it is read: a copy of both would not always fit in memory.

    Returns:
        The arrays by name, and the key of the feature store if the file is from there.

    Raises:
        DataError: If the file is damaged or of another kind, its arrays need far more memory than
            it has bytes, or the numbers of an array lie in other files, which the hash of this one
            does not cover.
    """
    kind = path.suffix.lower()
    with _reading(path):
        if kind in CLASS_PICKLES:
            arrays = read_class_pickle(path) if (wanted := {*names}) else {}
            return {name: array for name, array in arrays.items() if name in wanted}, None
        if kind == ".npz":
            return read_npz(path, names, widen=True), None
        if kind in _HDF5:
            with open_hdf5(path) as file:
                return read_hdf5(file, names), hdf5_key(file)
    raise DataError(
        f"{path} is neither .npz nor .h5, nor a pickle ({', '.join(CLASS_PICKLES)})",
        "Save the arrays with numpy.savez"
        + (
            f': numpy.savez("{path.stem}.npz", features=numpy.load("{path.name}"), labels=labels).'
            if kind == ".npy"
            else "."
        ),
    )


def array_names(path: Path) -> list[str]:
    """Names of the arrays in a file."""
    with _reading(path):
        if path.suffix.lower() in CLASS_PICKLES:
            return [*read_class_pickle(path)]
        if path.suffix.lower() == ".npz":
            return npz_names(path)
        with open_hdf5(path) as file:
            return hdf5_names(file)


def from_store(path: Path) -> bool:
    """Whether a file is the feature store's, in the format whose bytes are verified."""
    if path.suffix.lower() not in _HDF5:
        return False
    with _reading(path), open_hdf5(path) as file:
        schema = file.attrs.get("schema")
        return str(schema) == str(SCHEMA) and hdf5_key(file) is not None


def _reading(path: Path) -> AbstractContextManager[None]:
    return reading(path, f"{path} cannot be read", "Save it again: numpy.savez(PATH, …).")
