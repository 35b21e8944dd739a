"""Arrays in HDF5 files made elsewhere; no other file is ever opened for their numbers."""

import json
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.io.apart import read_apart
from lowlabel.datasets.io.hdf5_trial import NEEDS_MEMORY, TEXT_ROWS
from lowlabel.errors import DataError
from lowlabel.reading import require_room

_MOST_NAMES = 4
_MOST_LINKS = 16  # one after the other
_LONGEST_TEXT = 4096  # characters of a label
_PAUSE_S = 0.5
_MARKED = "already open for write"  # by HDF5, in the file itself
_MEANINGS = {NEEDS_MEMORY: "a part of it needs more than a gigabyte of memory"}


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Opens a file for reading; while another program writes in it, this is said and waited for.

    The file is first read in a process of its own, because HDF5 hangs or crashes on some damage.
    It is open here meanwhile, so that no program begins to write between the two.

    Raises:
        DataError: If it is marked as open for writing, which no lock tells.
        Exception: One of `lowlabel.reading.DAMAGE`, if the file is damaged.
    """
    with _opened(path) as file:
        read_apart(path, "hdf5_trial.py", "HDF5", _MEANINGS)
        yield file


def _opened(path: Path) -> h5py.File:
    said = False
    while True:
        try:
            return h5py.File(path, "r")
        except BlockingIOError:
            if not said:
                print(f"Waiting for another program that has {path} open for writing.", flush=True)
            said = True
            time.sleep(_PAUSE_S)
        except OSError as error:
            if _MARKED not in str(error):
                raise
            raise DataError(
                f"{path} is marked as open for writing: a program still writes it, or ended before "
                "it closed it",
                f"Wait until it is closed. If no program has it open: h5clear --status '{path}'.",
            ) from error


def read_hdf5(file: h5py.File, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Reads those arrays of `names` that a file has; half precision becomes float32.

    Raises:
        DataError: If the numbers of an array lie in other files, it is none, holds anything but
            numbers and texts, or needs far more memory than the file has bytes.
        Exception: One of `lowlabel.reading.DAMAGE`, if the file is damaged.
    """
    present = [name for name in names if name in list(file)]
    return {name: _array(file, name) for name in present}


def hdf5_names(file: h5py.File) -> list[str]:
    """Names at the top of a file; of a group, with what is in it."""
    names: list[str] = []
    for name in list(file):
        link = file.get(name, getlink=True)
        found = file.get(name) if isinstance(link, h5py.HardLink) else None
        inner = list(found) if isinstance(found, h5py.Group) else []
        names += [f"{name}/{each}" for each in inner] or [name]
    return names


def hdf5_key(file: h5py.File) -> dict[str, Any] | None:
    """The key of a file of the feature store; None for another file, whatever its attributes."""
    try:
        key = json.loads(file.attrs["key"])
    except (KeyError, TypeError, ValueError, OSError, RuntimeError):  # also of a type unknown here
        return None
    return key if isinstance(key, dict) else None


def _array(file: h5py.File, name: str) -> NDArray[Any]:
    found = _resolved(file, name)
    if isinstance(found, h5py.Group):
        raise DataError(
            f"{name} in {file.filename} is a group that holds {_listed(found) or 'nothing'}, "
            "not an array",
            f"Save {name} as an array at the top of the file.",
        )
    if not isinstance(found, h5py.Dataset):
        raise DataError(f"{name} in {file.filename} is a {type(found).__name__}, not an array")
    if found.is_virtual:
        sources = dict.fromkeys(source.file_name for source in found.virtual_sources())
        raise _elsewhere(file, name, f"it is a virtual dataset over {_listed(sources)}")
    if found.external:
        raise _elsewhere(
            file, name, f"it is stored in {_listed(storage for storage, *_ in found.external)}"
        )
    _check_plain(file, name, found)
    if h5py.check_string_dtype(found.dtype):
        return _texts(file, name, found)
    half = found.dtype.newbyteorder("=") == np.float16
    array: NDArray[Any] = found.astype(np.float32)[()] if half else found[()]
    return array


def _texts(file: h5py.File, name: str, found: h5py.Dataset) -> NDArray[Any]:
    """Texts of any length, as Python's strings [N] or [N, K]; a stored one may stand for many."""
    texts: list[Any] = []
    for start in range(0, found.shape[0], TEXT_ROWS):
        block = found.asstr("utf-8", "replace")[start : start + TEXT_ROWS]
        if (longest := max(map(len, block.ravel()), default=0)) > _LONGEST_TEXT:
            raise DataError(
                f"{name} of {file.filename} are as long as {longest:,} characters",
                "Save short names of classes.",
            )
        texts += block.tolist()
    array = np.empty(found.shape, dtype=object)
    array[:] = texts
    return array


def _check_plain(file: h5py.File, name: str, found: h5py.Dataset) -> None:
    """Refuses what is no array of numbers or short texts, or is larger than its file can hold."""
    kind = found.dtype
    is_text = h5py.check_string_dtype(kind) is not None and found.ndim in (1, 2)
    if found.shape is None or not (is_text or (not kind.hasobject and kind.kind in "biufSU")):
        raise DataError(
            f"{name} in {file.filename} holds {'nothing' if found.shape is None else kind}, not "
            "numbers or texts [N]",
            f"Save {name} as numbers or texts. Lists of different lengths need one length: fill "
            "the ends of short ones.",
        )
    stored, what = found.id.get_storage_size(), f"{name} of {file.filename}"
    require_room(what, math.prod(found.shape) * kind.itemsize, stored)
    if found.chunks:
        require_room(f"a chunk of {what}", math.prod(found.chunks) * kind.itemsize, stored)


def _resolved(file: h5py.File, name: str) -> Any:
    """What a name stands for, by links inside the file; no link to another file is opened."""
    first = file.get(name, getlink=True)
    place: Any = file
    parts, followed = [name], 0
    while parts:
        part = parts.pop(0)
        link = place.get(part, getlink=True) if isinstance(place, h5py.Group) else None
        if isinstance(link, h5py.ExternalLink):
            raise _elsewhere(file, name, f"it links to {link.filename}")
        if isinstance(link, h5py.SoftLink) and (followed := followed + 1) <= _MOST_LINKS:
            place = file if link.path.startswith("/") else place
            parts = [p for p in link.path.split("/") if p not in ("", ".")] + parts
        elif isinstance(link, h5py.HardLink):
            place = place[part]
        else:
            raise _elsewhere(
                file, name, f"it links to {getattr(first, 'path', part)}, which cannot be opened"
            )
    return place


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
