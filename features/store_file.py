"""Reading of feature files. What is returned is what was written, or a `DataError` is raised."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError
from lowlabel.features.key import FeatureKey
from lowlabel.features.store_format import PENDING, Head, checksum
from lowlabel.specs import canonical_json

_HDF5 = b"\x89HDF\r\n\x1a\n"


class StoreFile:
    """An open feature file, of which everything but the features is verified.

    HDF5 reads through the same open file and takes no lock: a file that another program holds open
    is read like any other.

    Args:
        path: The file.
        key: The key that it must hold; None for any.
        finished: Whether it must be complete.

    Attributes:
        path: The file.
        head: Its head.
        key: The JSON of its key.
        done: The marks of its rows, uint8 [rows].
        checksums: The checksums of its blocks, uint32 [blocks].

    Raises:
        DataError: If it cannot be read, is not what was written, or has another key.
    """

    def __init__(self, path: Path, key: FeatureKey | None, *, finished: bool = True) -> None:
        self.path = path
        self._last = range(0), np.empty((0, 0), "<f4")
        with _reading(path):
            self._file = path.open("rb")
            try:
                self.head = self._verified_head()
                self.done = self._array(self.head.done, "u1", self.head.rows)
                self.checksums = self._array(self.head.checksums, "<u4", self.head.count)
                if finished:
                    self._check_seal()
                with h5py.File(self._file, "r") as file:
                    self.key = str(file.attrs["key"])
                if key is not None and self.key != key.json():
                    raise DataError(
                        f"{path} was made with another model, transform or images than its "
                        "name says",
                        delete_and_run(path),
                    )
            except BaseException:
                self._file.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of a file that was only read, and verified
            self._file.close()

    @property
    def engine(self) -> str:
        """What computed the features, if it was not torch."""
        with _reading(self.path), h5py.File(self._file, "r") as file:
            return str(file.attrs.get("engine", ""))

    @property
    def earlier(self) -> str:
        """The key under which an earlier version stored the features; empty if it did not."""
        with _reading(self.path), h5py.File(self._file, "r") as file:
            return str(file.attrs.get("earlier", ""))

    @property
    def values_sha256(self) -> str:
        """SHA-256 of the rows' marks and of the checksums of their features, block by block.

        Files have the same if they hold the same features in blocks of the same size, whatever
        made them; no feature is read for it.
        """
        head = self.head
        sizes = canonical_json({"rows": head.rows, "width": head.width, "block": head.block})
        parts = (sizes.encode(), self.done.tobytes(), self.checksums.tobytes())
        return hashlib.sha256(b"".join(parts)).hexdigest()

    @property
    def labels(self) -> NDArray[np.int64]:
        """The labels of all rows."""
        with _reading(self.path), h5py.File(self._file, "r") as file:
            labels: NDArray[np.int64] = file["labels"][()]
            return labels

    @property
    def paths(self) -> NDArray[np.object_]:
        """The paths of all rows."""
        with _reading(self.path), h5py.File(self._file, "r") as file:
            paths: NDArray[np.object_] = file["paths"].asstr(errors="surrogateescape")[()]
            return paths

    def features(self, start: int, stop: int) -> NDArray[np.float32]:
        """Reads and verifies the rows from `start` to `stop`, by whole blocks."""
        head = self.head
        blocks = head.blocks(start, stop)
        first = blocks[0].start if blocks else start
        found = np.empty((max(stop, blocks[-1].stop) - first if blocks else 0, head.width), "<f4")
        for rows in blocks:
            target = found[rows.start - first : rows.stop - first]
            if rows == self._last[0]:
                target[:] = self._last[1]
            elif not self._read_block(rows, target):
                raise damaged(
                    self.path, f"rows {rows.start:,} to {rows.stop - 1:,} were changed on the disk"
                )
        if blocks and stop < blocks[-1].stop:  # the next rows are likely to begin there
            self._last = blocks[-1], target.copy()
        return found[start - first : stop - first]

    def mapped(self) -> NDArray[np.float32]:
        """Verifies all rows, by whole blocks, and maps them instead of reading them.

        The system drops mapped rows from memory where it needs the space and reads them again.
        """
        head = self.head
        for rows in head.blocks(0, head.rows):
            self.features(rows.start, rows.stop)
        shape = (head.rows, head.width)
        with _reading(self.path):
            found = np.memmap(self._file, "<f4", "c", head.features, shape)
        return found.view(np.ndarray)

    def holds(self, rows: range) -> bool:
        """Whether a block is complete and as it was written."""
        if (self.done[rows.start : rows.stop] == PENDING).any():
            return False
        return self._read_block(rows, np.empty((len(rows), self.head.width), "<f4"))

    def _read_block(self, rows: range, target: NDArray[np.float32]) -> bool:
        with _reading(self.path):
            self._file.seek(self.head.features + 4 * self.head.width * rows.start)
            self._file.readinto(target.data.cast("B"))
        found = checksum(target, self.done[rows.start : rows.stop])
        return found == int(self.checksums[rows.start // self.head.block])

    def _verified_head(self) -> Head:
        try:
            head = Head.read(self._file)
            if head.hash_fixed(self._file) != head.fixed:
                raise ValueError("its bytes are not those that were written")
        except ValueError as error:
            self._file.seek(0)
            if self._file.read(len(_HDF5)) == _HDF5:
                raise damaged(self.path, "it has the format of an earlier version") from error
            raise damaged(self.path, str(error)) from error
        return head

    def _check_seal(self) -> None:
        if self.head.seal != self.head.hash_seal(self.done.tobytes(), self.checksums.tobytes()):
            pending = int((self.done == PENDING).sum())
            never = f"{pending:,} of its {len(self.done):,} rows were never written"
            raise damaged(
                self.path, never if pending else "its bytes are not those that were written"
            )

    def _array(self, start: int, kind: str, count: int) -> NDArray[Any]:
        found = np.empty(count, kind)
        self._file.seek(start)
        self._file.readinto(found.data.cast("B"))
        return found


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns errors of the disk, which are no damage, and those of HDF5 into a `DataError`."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # HDF5's own: the bytes that another program may set are damaged
            raise damaged(path, str(error)) from error
        raise DataError(
            f"cannot read {path}: {error.strerror or error}",
            "Check the disk and the permissions, then run the same command again.",
        ) from error


def damaged(path: Path, reason: str) -> DataError:
    """The error for a file that has to be made again."""
    return DataError(f"{path} is not a complete feature file: {reason}", delete_and_run(path))


def delete_and_run(path: Path) -> str:
    """How to make a feature file again."""
    return f"Delete it and run again: rm '{path}'"
