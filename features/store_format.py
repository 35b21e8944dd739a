"""The format of feature files: HDF5 whose bytes are verified before HDF5 interprets them.

The block for users before the HDF5 part holds a head as JSON: where the arrays are, `fixed`
(SHA-256 of what is written once: the structures of HDF5, key, labels, paths) and, in a finished
file, `seal` (SHA-256 of `fixed`, `done` and `checksums`). `checksums` has a CRC-32 of each block of
rows, over their features and their marks in `done`.
"""

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from lowlabel.specs import canonical_json

SCHEMA = 2
HEAD_BYTES = 512
PENDING, DONE, BAD_IMAGE = 0, 1, 2  # marks of rows in `done`
_READ_BYTES = 1 << 20
_OPEN_FLAGS = HEAD_BYTES + 20  # of the superblock: HDF5 sets them while a program may write


@dataclass(frozen=True)
class Head:
    """What the head of a file says.

    Attributes:
        rows: Number of rows.
        width: Number of dimensions.
        block: Rows under one checksum.
        features: Offset in the file of float32 [rows, width].
        done: Offset of uint8 [rows], the marks.
        checksums: Offset of uint32 [blocks].
        owner: Token of the process that writes the file.
        fixed: SHA-256 of the numbers above and of all bytes behind the head but the three arrays.
        seal: SHA-256 of `fixed`, `done` and `checksums`; empty until the file is finished.
    """

    rows: int
    width: int
    block: int
    features: int
    done: int
    checksums: int
    owner: str = ""
    fixed: str = ""
    seal: str = ""

    def __post_init__(self) -> None:
        if min(self._numbers().values()) < 1:
            raise ValueError("no rows or no dimensions")

    @property
    def count(self) -> int:
        """Number of blocks."""
        return -(-self.rows // self.block)

    def blocks(self, start: int = 0, stop: int | None = None) -> list[range]:
        """The rows of each block that has rows from `start` to `stop`; of all by default."""
        first = start - start % self.block
        starts = range(first, self.rows if stop is None else stop, self.block)
        return [range(start, min(start + self.block, self.rows)) for start in starts]

    def encode(self) -> bytes:
        """The bytes of the head."""
        text = json.dumps({"lowlabel_features": SCHEMA, **asdict(self)}, separators=(",", ":"))
        return text.encode().ljust(HEAD_BYTES - 1) + b"\n"

    @classmethod
    def read(cls, file: IO[bytes]) -> Self:
        """Reads the head of a file.

        Raises:
            ValueError: If the bytes are not a head of this schema.
        """
        file.seek(0)
        fields = json.loads(file.read(HEAD_BYTES))
        if not isinstance(fields, dict) or fields.pop("lowlabel_features", None) != SCHEMA:
            raise ValueError("not the head of a feature file")
        if {name: type(value) for name, value in fields.items()} != cls.__annotations__:
            raise ValueError("not the head of a feature file")
        return cls(**fields)

    def hash_fixed(self, file: IO[bytes]) -> str:
        """Computes `fixed` from a file; a `ValueError` if the file is shorter than its arrays."""
        digest = hashlib.sha256(canonical_json(self._numbers()).encode())
        sizes = {
            _OPEN_FLAGS: 4,
            self.features: 4 * self.rows * self.width,
            self.done: self.rows,
            self.checksums: 4 * self.count,
        }
        start, end = HEAD_BYTES, file.seek(0, 2)
        for array, size in sorted(sizes.items()):
            if not start <= array <= array + size <= end:
                raise ValueError("the file is too short")
            for data in _pieces(file, start, array):
                digest.update(data)
            start = array + size
        for data in _pieces(file, start, end):
            digest.update(data)
        return digest.hexdigest()

    def hash_seal(self, marks: bytes, checksums: bytes) -> str:
        """Computes `seal`."""
        return hashlib.sha256(b"".join([self.fixed.encode(), marks, checksums])).hexdigest()

    def _numbers(self) -> dict[str, int]:
        return {name: value for name, value in asdict(self).items() if type(value) is int}


def checksum(features: NDArray[np.float32], marks: NDArray[np.uint8]) -> int:
    """CRC-32 of a block of rows, whose arrays are contiguous."""
    return zlib.crc32(marks.data, zlib.crc32(features.data))


def _pieces(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    for first in range(start, end, _READ_BYTES):
        yield file.read(min(_READ_BYTES, end - first))
