"""Reads an HDF5 file once, as a script in a process of its own: `hdf5_trial.py FILE`.

The HDF5 library may hang or crash on damaged bytes, which no exception tells. Each block that was
read is a line on standard output, so that the other process sees that the work goes on. What is
refused for a reason (links, other files, sizes) is left to the reader that can say so.
"""

import math
import sys

import h5py

_BLOCK_BYTES = 16 << 20


def _read(found: object) -> None:
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        return
    if found.shape is None or found.dtype.hasobject:
        return
    size = math.prod(found.shape) * found.dtype.itemsize
    if not found.ndim or size > 4096 * max(found.id.get_storage_size(), 1 << 16):
        return
    rows = max(1, _BLOCK_BYTES * found.shape[0] // max(size, 1))
    for start in range(0, found.shape[0], rows):
        found[start : start + rows]
        print(start, flush=True)


def main() -> None:
    """Reads all attributes and arrays at the top of the file, and of the groups there."""
    with h5py.File(sys.argv[1], "r", locking=False) as file:
        dict(file.attrs)
        groups = [file]
        for group in groups:
            for name in group:
                link = group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    continue
                found = group[name]
                if isinstance(found, h5py.Group) and group is file and found != file:
                    groups.append(found)
                _read(found)


if __name__ == "__main__":
    main()
