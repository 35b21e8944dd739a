"""Blocks of rows that fit in memory."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lowlabel.retrieval.ranking.sources import RowSource

BLOCK_VALUES = 2**25  # values held at once


class SourceBlock(NamedTuple):
    """Rows `start` to `stop` of the source with that number."""

    source: int
    start: int
    stop: int


def row_blocks(rows: int, values_each: int) -> Iterator[tuple[int, int]]:
    """Splits rows into (start, stop) of at most 2²⁵ values, at `values_each` per row."""
    step = max(1, BLOCK_VALUES // max(1, values_each))
    for start in range(0, rows, step):
        yield start, min(start + step, rows)


def source_blocks(sources: Sequence[RowSource], rows: int) -> list[SourceBlock]:
    """Splits each source into blocks of at most `rows` rows."""
    return [
        SourceBlock(number, start, min(start + rows, source.shape[0]))
        for number, source in enumerate(sources)
        for start in range(0, source.shape[0], rows)
    ]
