"""Reads the encoded images of parquet files by their rows."""

import errno
import struct
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from lowlabel.datasets.io.parquet import parquet_file
from lowlabel.errors import DataError
from lowlabel.reading import require_room

View = memoryview | None  # an image; None for a row without one

PARQUET = ".parquet"
_BATCH = 32  # images
_NOTHING = memoryview(b"")
_lock = threading.Lock()  # a row group is read once by the threads that want its images


def parquet_members(container: Path, names: Sequence[str]) -> Iterator[memoryview]:
    """Reads images, named by their rows in the container from 0 on; empty if a row has none.

    Yields:
        The bytes of each where pyarrow put them: a copy takes as long as reading a file.

    Raises:
        DataError: If the container cannot be read.
        FileNotFoundError: If it has no such row.
    """
    return (_NOTHING if image is None else image for image in _images(container, names))


def row_has_image(container: Path, name: str) -> bool:
    """Whether a row has an image at all, be it of no bytes."""
    return next(_images(container, [name])) is not None


def _images(container: Path, names: Sequence[str]) -> Iterator[View]:
    """Reads images; a row group is looked up once for its rows in turn."""
    status = container.stat()
    state = status.st_mtime_ns, status.st_size
    with _lock:
        starts = _row_groups(container, *state)
    images: Sequence[View] = ()
    first = 0
    for name in names:
        row = int(name)
        if not 0 <= row - first < len(images):
            group = bisect_right(starts, row) - 1
            first = starts[group]
            with _lock:
                images = _row_group(container, group, *state)
            if row - first >= len(images):
                raise FileNotFoundError(errno.ENOENT, "no such row", f"{container}/{name}")
        yield images[row - first]


@lru_cache(maxsize=64)
def _row_groups(container: Path, changed: int, size: int) -> Sequence[int]:
    """First row of each row group of a file in one of its states."""
    with parquet_file(container) as file:
        groups = range(file.metadata.num_row_groups)
        rows = [file.metadata.row_group(group).num_rows for group in groups]
    return [0, *accumulate(rows[:-1])]


@lru_cache(maxsize=3)
def _row_group(container: Path, group: int, changed: int, size: int) -> Sequence[View]:
    """The encoded images of a row group; None for a row without one."""
    read: list[View] = []
    held = 0
    with parquet_file(container) as file:
        column = image_column(container, file.schema_arrow)
        batches = file.iter_batches(
            batch_size=_BATCH, row_groups=[group], columns=[column], use_threads=False
        )
        for batch in batches:  # one image can stand for any number of rows
            held += batch.nbytes
            require_room(f"images of {container}", held, size)
            values = batch.column(0)
            read += _views(values.field("bytes") if hasattr(values, "field") else values)
    return read


def _views(images: Any) -> list[View]:
    """The bytes of each image of an array; a scalar of pyarrow would be a copy of them."""
    if not len(images):
        return []
    _, offsets, content = images.buffers()
    kind = "q" if str(images.type) == "large_binary" else "i"
    places = struct.unpack_from(
        f"{len(images) + 1}{kind}", offsets, struct.calcsize(kind) * images.offset
    )
    whole = memoryview(content or b"").cast("B").toreadonly()
    views: list[View] = [whole[start:stop] for start, stop in pairwise(places)]
    if not images.null_count:
        return views
    return [
        view if there else None
        for view, there in zip(views, images.is_valid().to_pylist(), strict=True)
    ]


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
