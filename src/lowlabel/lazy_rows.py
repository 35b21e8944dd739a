"""Tables whose rows are changed as they are read: a large table is not copied for it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

RowStep = Callable[[Tensor], Tensor]
BLOCK_BYTES = 2**24
MOST_BYTES = 2**28  # of a copy
_COLUMNS = 64  # torch sums as many side by side: other numbers of columns round otherwise


@dataclass(frozen=True)
class LazyRows:
    """A table of which rows are changed as they are read.

    It is read like the tensor that it stands for.

    Attributes:
        raw: The table, [N, D]; a tensor, or rows that are computed themselves.
        step: Changes rows, each on its own, [n, D] → [n, D].
        dtype: Their type after that.
    """

    raw: "Tensor | LazyRows"
    step: RowStep
    dtype: torch.dtype

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        return self.step(self.raw[rows])

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """Some rows, as `Tensor.index_select`; `dim` is 0."""
        return self.step(self.raw.index_select(dim, rows))

    def element_size(self) -> int:
        """Bytes of a number."""
        return self.dtype.itemsize

    @property
    def shape(self) -> torch.Size:
        """[N, D]."""
        return self.raw.shape

    @property
    def device(self) -> torch.device:
        """Where the table lies."""
        return self.raw.device


Table = Tensor | LazyRows


def changed(rows: Table, step: RowStep) -> Table:
    """The table of changed rows: a tensor if it takes little memory or nothing is changed.

    Args:
        rows: The table, [N, D].
        step: Changes rows, each on its own; returns what it is given to leave rows as they are.
    """
    first = rows[:1]
    probed = step(first)
    if probed is first:
        return rows
    if len(rows) * rows.shape[1] * probed.element_size() <= MOST_BYTES:
        return step(rows[:])
    return LazyRows(rows, step, probed.dtype)


def row_blocks(rows: Table) -> Iterator[Tensor]:
    """Yields all rows, in blocks of some megabytes."""
    step = max(1, BLOCK_BYTES // (rows.shape[1] * rows.element_size()))
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def of_rows(rows: Table, value: Callable[[Tensor], Tensor]) -> Tensor:
    """A value of each row, [n, D] → [n, …], computed by blocks; all of it, [N, …]."""
    found, done = torch.empty(0), 0
    for block in row_blocks(rows):
        values = value(block)
        if not done:  # small tensors kept among large ones that are freed would scatter the memory
            found = values.new_empty(len(rows), *values.shape[1:])
        found[done : done + len(block)] = values
        done += len(block)
    return found


def column_means(rows: Table) -> Tensor:
    """Mean over all rows, [D]; of a large table by groups of columns, which changes no sum."""
    if isinstance(rows, Tensor):
        return rows.mean(0)
    groups = MOST_BYTES // (_COLUMNS * len(rows) * rows.element_size())
    width = _COLUMNS * max(1, groups)
    starts = range(0, rows.shape[1], width)
    return torch.cat([_columns(rows, slice(at, at + width)).mean(0) for at in starts])


def _columns(rows: Table, columns: slice) -> Tensor:
    width = len(range(rows.shape[1])[columns])
    found = torch.empty(len(rows), width, dtype=rows.dtype, device=rows.device)
    done = 0
    for block in row_blocks(rows):
        found[done : done + len(block)] = block[:, columns]
        done += len(block)
    return found
