"""Reads the encoded images of parquet files by their rows."""

import struct
import threading
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from lowlabel.datasets.io.parquet import parquet_file
from lowlabel.errors import DataError
from lowlabel.reading import require_room

PARQUET = ".parquet"
_BATCH = 32  # images
_lock = threading.Lock()  # a row group is read once by the threads that want its images


def parquet_bytes(container: Path, name: str) -> memoryview:
    """Reads an image, named by its row in the container from 0 on; empty if the row has none.

    Returns:
        Its bytes where pyarrow put them, since a copy takes as long as reading a file.

    Raises:
        DataError: If the container cannot be read.
    """
    return memoryview(_value(container, name) or b"").toreadonly()


def row_has_image(container: Path, name: str) -> bool:
    """Whether a row has an image at all, be it of no bytes."""
    return _value(container, name) is not None


def _value(container: Path, name: str) -> Any:
    """A buffer of pyarrow, or None."""
    status, row = container.stat(), int(name)
    with _lock:
        starts = _row_groups(container, status.st_mtime_ns, status.st_size)
        group = bisect_right(starts, row) - 1
        images = _row_group(container, group, status.st_mtime_ns, status.st_size)
    return _buffer(images, row - starts[group])


def _buffer(images: Sequence[Any], row: int) -> Any:
    """The bytes of one image of several arrays; a scalar of pyarrow would be a copy of them."""
    ends = [*accumulate(map(len, images))]
    place = bisect_right(ends, row)
    image = images[place].slice(row - ends[place] + len(images[place]), 1)
    if image.null_count:
        return None
    _, offsets, content = image.buffers()
    kind = "2q" if str(image.type) == "large_binary" else "2i"
    start, stop = struct.unpack_from(kind, offsets, struct.calcsize(kind) // 2 * image.offset)
    return content.slice(start, stop - start) if stop > start else b""


@lru_cache(maxsize=64)
def _row_groups(container: Path, changed: int, size: int) -> Sequence[int]:
    """First row of each row group of a file in one of its states."""
    with parquet_file(container) as file:
        groups = range(file.metadata.num_row_groups)
        rows = [file.metadata.row_group(group).num_rows for group in groups]
    return [0, *accumulate(rows[:-1])]


@lru_cache(maxsize=3)
def _row_group(container: Path, group: int, changed: int, size: int) -> Sequence[Any]:
    """The encoded images of a row group, as arrays of pyarrow."""
    read, held = [], 0
    with parquet_file(container) as file:
        column = image_column(container, file.schema_arrow)
        batches = file.iter_batches(
            batch_size=_BATCH, row_groups=[group], columns=[column], use_threads=False
        )
        for batch in batches:  # one image can stand for any number of rows
            held += batch.nbytes
            require_room(f"images of {container}", held, size)
            values = batch.column(0)
            read.append(values.field("bytes") if hasattr(values, "field") else values)
    return read


def image_column(path: Path, schema: Any) -> str:
    """The column of encoded images: the only one of bytes, alone or with a path beside them.

    Raises:
        DataError: If there is none.
        ValueError: If there are several.
    """
    import pyarrow as pa

    def holds_bytes(kind: Any) -> bool:
        if pa.types.is_struct(kind):
            fields = [kind.field(n) for n in range(kind.num_fields)]
            return any(field.name == "bytes" and holds_bytes(field.type) for field in fields)
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    found = [str(field.name) for field in schema if holds_bytes(field.type)]
    if not found:
        raise DataError(
            f"{path} has no column of images; it has: {', '.join(schema.names)}",
            "The bytes of the images must be in the file. Of paths or addresses: "
            "dataset.cast_column('image', datasets.Image()), then dataset.to_parquet(FILE).",
        )
    if len(found) > 1:
        raise ValueError(f"it has {len(found)} columns of images: {', '.join(found)}")
    return found[0]
