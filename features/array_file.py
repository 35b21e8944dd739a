"""Arrays in a `.npz` or `.h5` file or a pickle, if the file itself holds every number."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lowlabel.datasets.io.class_pickle import CLASS_PICKLES, read_class_pickle
from lowlabel.datasets.io.hdf5 import hdf5_key, hdf5_names, open_hdf5, read_hdf5
from lowlabel.errors import DataError
from lowlabel.features.store_format import SCHEMA
from lowlabel.npz import npz_names, read_npz
from lowlabel.reading import reading

Arrays = Mapping[str, NDArray[Any]]
_HDF5 = (".h5", ".hdf5")


@dataclass(frozen=True)
class FileArrays:
    """Arrays of a file.

    Attributes:
        arrays: Those that were asked for and are there, by name.
        key: The key of the feature store if the file is from there.
        of_store: Whether it is the store's, in the format whose bytes are verified: only the arrays
            that were asked for of such files are read.
    """

    arrays: Arrays = field(default_factory=dict)
    key: dict[str, Any] | None = None
    of_store: bool = False


def read_arrays(
    path: Path, names: Iterable[str], *, of_store: Iterable[str] | None = None
) -> FileArrays:
    """Reads those arrays of `names` that a file has; no code in a pickle is run.

    Half precision becomes float32 as it is read: a copy of both would not always fit in memory.

    Args:
        path: The file.
        names: Names of arrays.
        of_store: Names to read in place of `names` if the file is the store's, whose features and
            labels are verified elsewhere; by default no difference is made.

    Raises:
        DataError: If the file is damaged or of another kind, its arrays need far more memory than
            it has bytes, or the numbers of an array lie in other files, which the hash of this one
            does not cover.
    """
    kind = path.suffix.lower()
    with _reading(path):
        if kind in CLASS_PICKLES:
            arrays = read_class_pickle(path) if (wanted := {*names}) else {}
            return FileArrays({name: each for name, each in arrays.items() if name in wanted})
        if kind == ".npz":
            return FileArrays(read_npz(path, names, widen=True))
        if kind in _HDF5:
            with open_hdf5(path) as file:
                key = hdf5_key(file)
                ours = key is not None and str(file.attrs.get("schema")) == str(SCHEMA)
                if ours and of_store is not None:
                    return FileArrays(read_hdf5(file, of_store), key, True)
                return FileArrays(read_hdf5(file, names), key)
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


def _reading(path: Path) -> AbstractContextManager[None]:
    return reading(path, f"{path} cannot be read", "Save it again: numpy.savez(PATH, …).")
