"""Some rows of a table, gathered block by block."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel import lazy_rows
from lowlabel.arrays import Labels, as_labels
from lowlabel.errors import InputError
from lowlabel.lazy_rows import LazyRows, Table


@dataclass(frozen=True)
class Rows:
    """Rows in an order of their own; nothing is copied as a whole.

    Attributes:
        table: Features, float32 or float64 [M, D].
        places: The row of `table` of each row, int64 [N]; None for all rows.
    """

    table: Table
    places: Tensor | None = None

    def __len__(self) -> int:
        return len(self.table if self.places is None else self.places)

    @property
    def width(self) -> int:
        """D."""
        return self.table.shape[1]

    @property
    def device(self) -> torch.device:
        """The device of the table."""
        return self.table.device

    def block(self, rows: slice | Tensor) -> Tensor:
        """Some rows, [B, D]."""
        return self.table[rows if self.places is None else self.places[rows]]

    def chosen(self, rows: Tensor) -> "Rows":
        """Some rows of these, int64 [n]."""
        places = rows if self.places is None else self.places[rows]
        return Rows(self.table, places)

    def blocks(self, rows: int) -> Iterator[tuple[slice, Tensor]]:
        """All rows in blocks of at most so many, each with its place; valid until the next one.

        Rows are gathered into the same memory again and again: of blocks that are freed, glibc's
        heap keeps the holes, and would grow by the size of the table.
        """
        table = self.table
        raw = table.raw if isinstance(table, LazyRows) else table
        if isinstance(raw, Tensor) and self.places is not None:
            yield from self._gathered(raw, self.places, rows)
            return
        for start in range(0, len(self), rows):
            part = slice(start, min(start + rows, len(self)))
            yield part, self.block(part)

    def _gathered(self, raw: Tensor, places: Tensor, rows: int) -> Iterator[tuple[slice, Tensor]]:
        room = raw.new_empty(min(rows, len(places)), self.width)
        for start in range(0, len(places), rows):
            part = slice(start, min(start + rows, len(places)))
            chosen = places[part]
            block = torch.index_select(raw, 0, chosen, out=room[: len(chosen)])
            yield part, self.table.step(block) if isinstance(self.table, LazyRows) else block


def picked(table: Tensor, rows: NDArray[np.int64] | None) -> tuple[Tensor, Tensor | None]:
    """Some rows of a table: as a copy if they are few, else the table and their places in it.

    To gather rows again for each block takes longer than to read a copy.
    """
    if rows is None:
        return table, None
    places = torch.from_numpy(rows).to(table.device)
    if len(rows) * table.shape[1] * table.element_size() <= lazy_rows.MOST_BYTES:
        return table.index_select(0, places), None
    return table, places


def as_rows(rows: Labels, images: int) -> NDArray[np.int64]:
    """Converts the rows [n] of a table of `images` rows to int64.

    Raises:
        InputError: If there is none, or they are not different rows of the table.
    """
    found = as_labels(rows, len(rows), "rows")
    if not len(found) or found.min() < 0 or found.max() >= images:
        raise InputError(f"rows must be one or more of the {images} rows, counted from 0")
    if len(np.unique(found)) < len(found):
        raise InputError("rows hold a row more than once", "Name each row once.")
    return found
