"""Reads an HDF5 file once, as a script in a process of its own: `hdf5_trial.py FILE`.

The HDF5 library may hang or crash on damaged bytes, which no exception tells. Each block that was
read is a line on standard output, so that the other process sees that the work goes on. What is
refused for a reason (links, other files, sizes) is left to the reader that can say so.
"""

import math
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py

TEXT_ROWS = 1024  # read at once
NEEDS_MEMORY = 3  # exit code
_BLOCK_BYTES = 16 << 20
_MOST_BYTES = 1 << 30
_CHUNK_COPIES = 4  # as stored, as it is unpacked, and what is handed over
_NO_MEMORY = re.compile("allocation failed|allocate")  # how the library says it


def _read(found: object) -> None:
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        return
    if found.shape is None:
        return
    if found.dtype.hasobject:
        _read_texts(found)
        return
    size = math.prod(found.shape) * found.dtype.itemsize
    chunk = math.prod(found.chunks or (0,)) * found.dtype.itemsize
    if not found.ndim or max(size, chunk) > 4096 * max(found.id.get_storage_size(), 1 << 16):
        return
    rows = max(1, _BLOCK_BYTES * found.shape[0] // max(size, 1), *(found.chunks or ())[:1])
    _limit_memory(_CHUNK_COPIES * chunk)
    for start in range(0, found.shape[0], rows):
        found[start : start + rows]
        print(start, flush=True)


def _read_texts(found: h5py.Dataset) -> None:
    if h5py.check_string_dtype(found.dtype) is None or found.ndim != 1:
        return
    if found.id.get_storage_size() < found.shape[0]:
        return
    for start in range(0, found.shape[0], TEXT_ROWS):
        found[start : start + TEXT_ROWS]
        print(start, flush=True)


def _limit_memory(more: int = 0) -> None:
    """Takes at most a gigabyte more, and `more` bytes, where the system has such limits."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        pages = Path("/proc/self/statm").read_text().split()[0]
        now = int(pages) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (now + _MOST_BYTES + more, hard))


def main() -> None:
    """Reads all attributes and arrays at the top of the file, and of the groups there."""
    with h5py.File(sys.argv[1], "r", locking=False) as file:
        for name in file.attrs:
            with _others_go_on():
                file.attrs[name]
        groups = [file]
        for group in groups:
            for name in group:
                with _others_go_on():
                    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                        continue
                    found = group[name]
                    if isinstance(found, h5py.Group) and group is file and found != file:
                        groups.append(found)
                    _read(found)


@contextmanager
def _others_go_on() -> Iterator[None]:
    """Lets what fails be read no further, unless for want of memory: a limit holds here alone."""
    try:
        yield
    except Exception as error:
        if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
            raise MemoryError from error


if __name__ == "__main__":
    _limit_memory()
    try:
        main()
    except MemoryError:
        sys.exit(NEEDS_MEMORY)
