"""Writes a feature file block by block, so that a killed run can resume.

The file is laid out at its final size before the first block is written and never grows: a process
killed at any moment leaves a file that opens. A block counts as written if its checksum agrees, and
the file gets its final name after everything was read back. HDF5, which ends in undefined states
when the disk fails, writes the layout alone, through a file that keeps the error for us.
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import IO

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets import ImageSet
from lowlabel.errors import DataError
from lowlabel.features.key import FeatureKey
from lowlabel.features.store import feature_path
from lowlabel.features.store_file import StoreFile, damaged
from lowlabel.features.store_format import BAD_IMAGE, DONE, Head, checksum
from lowlabel.features.store_layout import lay_out

_ROOM = "Make room, or set LOWLABEL_HOME to a folder on another disk."
_RESUME = "On this disk, the same command then resumes at the rows that are missing."


class PartialFile:
    """A feature file that is being written.

    Args:
        key: Key of the features.
        images: The images, one row each.
        block: Number of rows that are written at once, in a new file.
        earlier: The key under which an earlier version stored the same features.
    """

    def __init__(self, key: FeatureKey, images: ImageSet, block: int, earlier: str = "") -> None:
        self.key = key
        self.images = images
        self.block = block
        self.earlier = earlier
        self.engine = ""  # what computes the first block, if it is not torch
        self.path = feature_path(key).with_suffix(".partial")
        self._token, self._owned = secrets.token_hex(16), False

    def pending(self) -> list[range]:
        """Returns the rows that are still to be written, by blocks.

        Blocks that are marked as written and do not agree with their checksum are among them, and
        are counted on the terminal.
        """
        if not self.path.exists():
            count = len(self.images)
            starts = range(0, count, self.block)
            return [range(start, min(start + self.block, count)) for start in starts]
        with StoreFile(self.path, self.key, finished=False), self._opened():
            pass  # it is sound, and ours from now on
        pending, lost = self._unwritten()
        if lost:
            print(
                f"{lost:,} rows in {self.path} are not what was written: they are extracted again",
                flush=True,
            )
        return pending

    def write(self, start: int, features: NDArray[np.float32], bad: NDArray[np.bool_]) -> None:
        """Writes a block: the features, the marks that they are done, then their checksum.

        Args:
            start: The first row of a range of `pending`.
            features: float32 [rows, D].
            bad: Which images could not be decoded, bool [rows].

        Raises:
            DataError: If the disk is full or the file cannot be written; earlier rows are kept.
        """
        features = np.ascontiguousarray(features, "<f4")
        marks = np.where(bad, BAD_IMAGE, DONE).astype(np.uint8)
        if not self.path.exists():
            facts = {"key": self.key.json(), "earlier": self.earlier}
            facts |= {"engine": self.engine} if self.engine else {}
            lay_out(self.path, facts, self.images, features.shape[1], self.block, self._token)
            self._owned = True
        with self._opened() as (file, head):
            for offset, data in (
                (head.features + 4 * head.width * start, features),
                (head.done + start, marks),
                (
                    head.checksums + 4 * (start // head.block),
                    np.array(checksum(features, marks), "<u4"),
                ),
            ):
                file.seek(offset)
                file.write(data.data)

    def finish(self) -> None:
        """Reads the complete file back, seals it and renames it to its final name.

        Raises:
            DataError: If rows are not what was written; the next run writes them again.
        """
        with self._opened() as (file, _):
            os.fsync(file.fileno())
        pending, lost = self._unwritten()
        if pending:
            raise DataError(
                f"cannot write {self.path}: {sum(map(len, pending)):,} rows are not on the disk, "
                f"{lost:,} of them were lost after they were written",
                _RESUME,
            )
        with StoreFile(self.path, self.key, finished=False) as read:
            seal = read.head.hash_seal(read.done.tobytes(), read.checksums.tobytes())
        with self._opened() as (file, head):
            file.seek(0)
            sealed = replace(head, owner="", seal=seal)  # equal features are equal files
            file.write(sealed.encode())
            file.flush()
            os.fsync(file.fileno())
        with self._errors():
            if self._head() != sealed:
                raise OSError(errno.EIO, "other content is read back than was written")
            self.path.replace(feature_path(self.key))

    def _head(self) -> Head | None:
        """The head as it stands on the disk; None if it is damaged."""
        with self.path.open("rb") as file:
            try:
                return Head.read(file)
            except ValueError:
                return None

    def _unwritten(self) -> tuple[list[range], int]:
        """The blocks that are not written, and how many rows of them were and are lost."""
        with StoreFile(self.path, self.key, finished=False) as file:
            pending = [rows for rows in file.head.blocks() if not file.holds(rows)]
            lost = [rows for rows in pending if file.done[rows.start : rows.stop].all()]
        return pending, sum(map(len, lost))

    @contextmanager
    def _opened(self) -> Iterator[tuple[IO[bytes], Head]]:
        """Opens the file to write in it, unless another process has made it its own.

        Two processes get here only where file locks do not work, as on some shared folders.
        """
        with self._errors(), self.path.open("r+b") as file:
            try:
                head = Head.read(file)
            except ValueError as error:
                raise damaged(self.path, str(error)) from error
            if not self._owned:
                head = replace(head, owner=self._token, seal="")
                file.seek(0)
                file.write(head.encode())
                file.flush()
                self._owned = True
            if head.owner != self._token:
                raise DataError(
                    f"another process writes {self.path}, too: file locks do not work there",
                    "Run one at a time, or set LOWLABEL_HOME to a folder on a local disk.",
                )
            yield file, head

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(
                f"cannot write {self.path}: {error.strerror or error}", f"{_ROOM} {_RESUME}"
            ) from error
