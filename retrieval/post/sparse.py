"""Sparse matrices and neighbourhood graphs, without a loop over their rows."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.retrieval.ranking.blocks import row_blocks


@dataclass(frozen=True)
class SparseRows:
    """A sparse matrix by rows.

    Attributes:
        start: Index of the first entry of each row, int64 [rows + 1].
        columns: Column of each entry, int64 [entries].
        values: Value of each entry [entries].
        width: Number of columns.
    """

    start: Tensor
    columns: Tensor
    values: Tensor
    width: int

    @classmethod
    def of(
        cls, rows: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]
    ) -> "SparseRows":
        """Builds the matrix from entries in any order; entries of one place are added up."""
        entries = coalesced(rows, columns, values, shape)
        rows, columns = entries.indices()
        start = torch.searchsorted(rows, torch.arange(shape[0] + 1, device=rows.device))
        return cls(start, columns, entries.values(), shape[1])

    def __len__(self) -> int:
        return len(self.start) - 1

    def gather(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the entries of `rows` [n] as index into the n rows, column and value."""
        first, lengths = self.start[rows], self.start[rows + 1] - self.start[rows]
        owner = torch.repeat_interleave(lengths)
        begin = lengths.cumsum(0) - lengths
        entry = torch.arange(len(owner), device=rows.device) + (first - begin)[owner]
        return owner, self.columns[entry], self.values[entry]

    def transpose(self) -> "SparseRows":
        """Returns the transposed matrix."""
        rows = torch.repeat_interleave(self.start.diff())
        return SparseRows.of(self.columns, rows, self.values, (self.width, len(self)))


def coalesced(rows: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """Builds a sparse tensor from entries in any order; entries of one place are added up."""
    indices = torch.stack([rows, columns])
    return torch.sparse_coo_tensor(indices, values, shape, check_invariants=False).coalesce()


def mutual(near: Tensor) -> Tensor:
    """Marks the neighbours [N, k] of each image that have the image as a neighbour, [N, k]."""
    result = torch.empty_like(near, dtype=torch.bool)
    for start, stop in row_blocks(len(near), near.shape[1] ** 2):
        image = torch.arange(start, stop, device=near.device)[:, None, None]
        result[start:stop] = (near[near[start:stop]] == image).any(dim=2)
    return result
