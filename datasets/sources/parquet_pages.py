"""Reads encoded images out of the pages of a parquet file, where they were decompressed.

pyarrow copies every image three times: from the page into a dictionary, from there into an array,
and the page itself. Images are large and hardly compress, so this would take longer than reading
them as files. Pages are read here in the form in which nearly all such files have them, as
https://parquet.apache.org/docs/file-format/data-pages describes it; pyarrow reads the others.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from io import FileIO
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.sources.thrift import read_struct, read_varint
from lowlabel.reading import require_room

View = memoryview | None  # an image; None for a row without one
_DATA, _DICTIONARY = 0, 2  # types of pages
_PLAIN, _INDICES = 0, (2, 8)  # encodings; a dictionary of the older indices has their number
_HEADER = 1 << 14  # bytes that a header is looked for in
_OF_A_VIEW = 256  # bytes of a row's view in memory
_LENGTH = struct.Struct("<I")


class Chunk(NamedTuple):
    """The images of a row group, as the footer of the file describes them.

    Attributes:
        start: Where its pages begin.
        size: Bytes of all its pages.
        rows: Number of rows.
        compression: "SNAPPY", "UNCOMPRESSED", …
        nested: How many of its levels may be missing; rows of the last have an image.
    """

    start: int
    size: int
    rows: int
    compression: str
    nested: int


def chunks_of(metadata: Any, column: int) -> Iterator[Chunk]:
    """The chunks of a column, one for each row group, from the metadata of pyarrow."""
    nested = metadata.schema.column(column).max_definition_level
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        of = group.column(column)
        first = of.dictionary_page_offset if of.has_dictionary_page else None
        start = of.data_page_offset if first is None else min(first, of.data_page_offset)
        yield Chunk(start, of.total_compressed_size, group.num_rows, of.compression, nested)


def read_chunk(path: Path, chunk: Chunk, stored: int) -> list[View] | None:
    """Reads the images of a row group.

    Args:
        path: The file.
        chunk: The row group.
        stored: Bytes of the file.

    Returns:
        An image for each row; None if the pages have another form or are damaged.

    Raises:
        DataError: If a few bytes stand for far more.
    """
    from pyarrow import ArrowException

    if not 0 <= chunk.start <= chunk.start + chunk.size <= stored:
        return None
    try:
        with FileIO(path) as file:
            return _images(
                file, chunk, lambda held: require_room(f"images of {path}", held, stored)
            )
    except (ValueError, LookupError, TypeError, OSError, struct.error, ArrowException):
        return None


def _images(file: FileIO, chunk: Chunk, check: Callable[[int], None]) -> list[View] | None:
    check(_OF_A_VIEW * chunk.rows)
    images: list[View] = []
    words: list[memoryview] = []  # of the dictionary
    held, at, end = 0, chunk.start, chunk.start + chunk.size
    while at < end:
        file.seek(at)
        header, length = read_struct(file.read(_HEADER))
        kind, size, stored = header[1], header[2], header[3]
        at += length + stored
        if min(size, stored) < 0 or at > end:
            return None
        held += size
        check(held)
        page = _page(file, at - stored, stored, size, chunk.compression)
        if kind == _DICTIONARY and header[7][2] in (_PLAIN, _INDICES[0]) and not images:
            words = _plain(page, header[7][1])
        elif kind == _DATA and header[5][1] <= chunk.rows - len(images):
            found = _data_page(page, header[5], chunk.nested, words)
            held += sum(map(len, filter(None, found))) if words else 0
            check(held)
            images += found
        else:
            return None
    return images if len(images) == chunk.rows else None


def _page(file: FileIO, start: int, stored: int, size: int, compression: str) -> memoryview:
    """Reads and decompresses a page, into memory that pyarrow has at hand."""
    import pyarrow as pa

    buffer = pa.allocate_buffer(stored)
    file.seek(start)
    view = memoryview(buffer).cast("B")
    if stored and file.readinto(view) != stored:
        raise ValueError("it is cut off")
    if compression == "UNCOMPRESSED" and size == stored:
        return view.toreadonly()
    if compression != "SNAPPY" or read_varint(view, 0)[0] != size:
        raise ValueError("it is compressed otherwise")
    return memoryview(pa.decompress(buffer, size, codec="snappy")).cast("B").toreadonly()


def _data_page(
    page: memoryview, header: dict[int, Any], nested: int, words: Sequence[memoryview]
) -> list[View]:
    """The images of a page: how deep each row is, then the values of those that are complete."""
    count, encoding = header[1], header[2]
    there = np.ones(count, bool)
    if nested:
        (length,) = _LENGTH.unpack_from(page)
        levels, page = page[4 : 4 + length], page[4 + length :]
        depths = _numbers(levels, nested.bit_length(), count)
        if depths.max(initial=0) > nested:
            raise ValueError("rows are deeper than their column")
        there = depths == nested
    present = int(there.sum())
    if encoding == _PLAIN:
        values = _plain(page, present)
    elif encoding in _INDICES:
        values = [words[n] for n in _numbers(page[1:], page[0], present)] if present else []
    else:
        raise ValueError(f"encoding {encoding}")
    if present == count:
        return [*values]
    left = iter(values)
    return [next(left) if each else None for each in there]


def _plain(page: memoryview, count: int) -> list[memoryview]:
    """Values that stand one behind the other, each after its length."""
    values = []
    at = 0
    for _ in repeat(None, count):
        (length,) = _LENGTH.unpack_from(page, at)
        at += _LENGTH.size + length
        values.append(page[at - length : at])
    if at != len(page):
        raise ValueError("its values end elsewhere")
    return values


def _numbers(data: memoryview, width: int, count: int) -> NDArray[np.int64]:
    """Decodes `count` numbers of `width` bits: runs of an equal one, or eight by eight packed."""
    if width > 32:
        raise ValueError(f"numbers of {width} bits")
    numbers = np.empty(count, np.int64)
    found: NDArray[np.int64] | int
    at = filled = 0
    while filled < count:
        mark, at = read_varint(data, at)
        run = mark >> 1
        if mark & 1:
            wanted = min(run, (count - filled + 7) // 8)
            packed = np.frombuffer(data[at : at + wanted * width], np.uint8)
            at += run * width
            bits = np.unpackbits(packed, bitorder="little").reshape(wanted * 8, width)
            run = min(8 * wanted, count - filled)
            found = (bits @ (1 << np.arange(width)))[:run]
        else:
            size = (width + 7) // 8
            found = int.from_bytes(data[at : at + size], "little")
            at += size
            run = min(run, count - filled)
        if at > len(data):
            raise ValueError("its numbers are cut off")
        numbers[filled : filled + run] = found
        filled += run
    return numbers
