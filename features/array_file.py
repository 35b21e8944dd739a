"""Arrays in a `.npz` or `.h5` file or a pickle, if the file itself holds every number."""

import json
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.io.class_pickle import CLASS_PICKLES, read_class_pickle
from lowlabel.errors import DataError
from lowlabel.features.store_format import SCHEMA

Arrays = dict[str, NDArray[Any]]
_HDF5 = (".h5", ".hdf5")
_MOST_NAMES = 4


def read_arrays(path: Path, names: Iterable[str]) -> tuple[Arrays, dict[str, Any] | None]:
    """Reads those arrays of `names` that a file has; no code in a pickle is run.

    Returns:
        The arrays by name, and the key of the feature store if the file is from there.

    Raises:
        DataError: If the file is damaged or of another kind, or the numbers of an array lie in
            other files, which the hash of this one does not cover.
    """
    with _reading(path):
        if path.suffix in CLASS_PICKLES:
            arrays = read_class_pickle(path) if (wanted := {*names}) else {}
            return {name: array for name, array in arrays.items() if name in wanted}, None
        if path.suffix == ".npz":
            with _npz(path) as file:
                return {name: _plain(file, name) for name in names if name in file}, None
        if path.suffix in _HDF5:
            with h5py.File(path, "r") as file:
                present = [name for name in names if file.get(name, getlink=True) is not None]
                return {name: _array(file, name) for name in present}, _origin(file)
    raise DataError(
        f"{path} is neither .npz nor .h5, nor a pickle ({', '.join(CLASS_PICKLES)})",
        "Save the arrays with numpy.savez.",
    )


def array_names(path: Path) -> list[str]:
    """Names of what a `.npz` or `.h5` file has at its top."""
    with _reading(path):
        if path.suffix == ".npz":
            with _npz(path) as arrays:
                return list(arrays)
        with h5py.File(path, "r") as file:
            return list(file)


def _npz(path: Path) -> "np.lib.npyio.NpzFile":
    if not zipfile.is_zipfile(path):
        raise zipfile.BadZipFile("it is no archive of arrays")
    file: np.lib.npyio.NpzFile = np.load(path, allow_pickle=False)
    return file


def _plain(file: "np.lib.npyio.NpzFile", name: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = file[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise ValueError(f"{name} holds Python objects, which are never unpickled") from error
    return array


def from_store(path: Path) -> bool:
    """Whether a file is the feature store's, in the format whose bytes are verified."""
    if path.suffix not in _HDF5:
        return False
    with _reading(path), h5py.File(path, "r") as file:
        return bool(file.attrs.get("schema") == SCHEMA) and _origin(file) is not None


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(
            f"{path} cannot be read: {error}", "Save it again: numpy.savez(PATH, …)."
        ) from error


def _array(file: h5py.File, name: str) -> NDArray[Any]:
    try:
        found = file[name]
    except (KeyError, RuntimeError, OSError) as error:
        link = file.get(name, getlink=True)
        if isinstance(link, h5py.HardLink):
            raise OSError(f"{name}: {error}") from error
        at = link.filename if isinstance(link, h5py.ExternalLink) else link.path
        raise _elsewhere(file, name, f"it links to {at}, which cannot be opened") from error
    if found.file != file:
        raise _elsewhere(file, name, f"it links to {found.file.filename}")
    if not isinstance(found, h5py.Dataset):
        raise DataError(
            f"{name} in {file.filename} is a group that holds {', '.join(found) or 'nothing'}, "
            "not an array",
            "Save features [N, D] and labels [N] under these names at the top of the file.",
        )
    if found.is_virtual:
        sources = dict.fromkeys(source.file_name for source in found.virtual_sources())
        raise _elsewhere(file, name, f"it is a virtual dataset over {_listed(sources)}")
    if found.external:
        raise _elsewhere(
            file, name, f"it is stored in {_listed(storage for storage, *_ in found.external)}"
        )
    array: NDArray[Any] = found[()]
    return array


def _elsewhere(file: h5py.File, name: str, where: str) -> DataError:
    return DataError(
        f"{file.filename} does not hold the numbers of {name}: {where}",
        "Copy every array into one file, whose hash then covers the numbers: "
        "numpy.savez(PATH, features=…, labels=…), with each array read as file[NAME][()].",
    )


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _MOST_NAMES} more" if len(every) > _MOST_NAMES else ""
    return ", ".join(every[:_MOST_NAMES]) + more


def _origin(file: h5py.File) -> dict[str, Any] | None:
    """The key of a file of the feature store; None for another file, whatever its attributes."""
    key = file.attrs.get("key")
    if not isinstance(key, str):
        return None
    try:
        origin = json.loads(key)
    except ValueError:
        return None
    return origin if isinstance(origin, dict) else None
