"""Arrays in `.npz` files, whose sizes are checked before anything is allocated."""

import math
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError
from lowlabel.reading import require_room

_SUFFIX = ".npy"
_BLOCK = 2**22  # numbers


def read_npz(
    path: Path, names: Iterable[str] | None = None, *, widen: bool = False
) -> dict[str, NDArray[Any]]:
    """Reads arrays of a file; Python objects are never unpickled.

    Args:
        path: The file.
        names: Those that are wanted, of which the file may lack some; None for all.
        widen: Whether half precision becomes float32, without a copy of it in memory.

    Raises:
        DataError: If an array holds objects, needs far more memory than the file has bytes, or
            stands twice in the file.
        Exception: One of `lowlabel.reading.DAMAGE`, if the file is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        present = _names(path, archive)
        wanted = present if names is None else names
        members = {name: archive.NameToInfo.get(name + _SUFFIX) for name in wanted}
        return {n: _array(path, archive, n, m, widen) for n, m in members.items() if m}


def npz_names(path: Path) -> list[str]:
    """Names of the arrays in a file; raises what `read_npz` raises."""
    with zipfile.ZipFile(path) as archive:
        return _names(path, archive)


def _names(path: Path, archive: zipfile.ZipFile) -> list[str]:
    names = archive.namelist()
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(
            f"{path} holds two members named {twice}", "Save it again: numpy.savez(PATH, …)."
        )
    return [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]


def read_npy_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Reads the head of an `.npy` stream: shape, whether in Fortran's order, type."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that Python 2 wrote it
        shape, fortran, dtype = read(file)
    if any(side < 0 for side in shape):
        raise ValueError(f"the shape {shape} has a negative side")
    return shape, fortran, dtype


def _array(
    path: Path, archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo, widen: bool
) -> NDArray[Any]:
    with archive.open(member) as file:
        shape, fortran, dtype = read_npy_header(file)
        if dtype.hasobject:
            raise DataError(
                f"{path}: {name} holds Python objects, which are never unpickled",
                f"Save plain numbers, or texts of a fixed length: {name}.astype(str). Lists of "
                "different lengths need one length: fill the ends of short ones.",
            )
        needed, there = math.prod(shape) * dtype.itemsize, member.file_size - file.tell()
        if needed > there:
            raise ValueError(f"{name} declares {needed:,} bytes, of which {max(there, 0):,} exist")
        stored = min(member.compress_size, path.stat().st_size)
        require_room(f"{name} of {path}", needed, stored)
        if widen and dtype.newbyteorder("=") == np.float16 and not fortran:
            return _widened(file, shape, dtype)
    with archive.open(member) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _widened(file: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[np.float32]:
    """Reads the numbers after a head as float32."""
    wide = np.empty(shape, np.float32)
    flat = wide.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        part = flat[start : start + _BLOCK]
        part[:] = np.frombuffer(file.read(part.size * dtype.itemsize), dtype)
    file.read(1)  # the end, at which zipfile compares the checksum
    return wide
