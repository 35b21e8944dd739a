"""Twins: gallery images whose rows are equal, which nothing may tell apart."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from lowlabel.retrieval.ranking.blocks import row_blocks

_DIRECTIONS = 4  # random directions that tell different rows apart


@dataclass(frozen=True)
class Twins:
    """Groups of rows that are equal up to rounding; most groups hold one row.

    Attributes:
        group: Group of each row, int64 [N], numbered from 0 on.
        members: Rows by group, rising within a group, int64 [N].
        start: Index of the first member of each group, int64 [groups + 1].
    """

    group: Tensor
    members: Tensor
    start: Tensor

    @classmethod
    def of(cls, rows: Tensor) -> "Twins":
        """Finds the twins among rows [N, D] of length 1 at most."""
        first = _first_equal(rows)
        group = torch.unique(first, return_inverse=True)[1]
        sizes = torch.bincount(group)
        start = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
        return cls(group, group.argsort(stable=True), start)

    def __bool__(self) -> bool:
        return len(self.start) <= len(self.group)

    @cached_property
    def sizes(self) -> Tensor:
        """Number of rows in each group, int64 [groups]."""
        return self.start.diff()

    @cached_property
    def first(self) -> Tensor:
        """The first row of each group, int64 [groups]."""
        return self.members[self.start[:-1]]

    def made_equal(self, rows: Tensor) -> Tensor:
        """Replaces each row by that of its first twin; returns `rows` itself without twins."""
        return rows[self.first[self.group]] if self else rows

    def members_of(self, groups: Tensor, k: int, self_rows: Tensor | None) -> tuple[Tensor, Tensor]:
        """Lists the first k members of some groups, without a row of its own.

        Args:
            groups: In order, int64 [n, m]; together they hold k other rows at least.
            k: Rows to list.
            self_rows: The row that is left out of each list, int64 [n].

        Returns:
            Places in `groups` and rows, int64 [n, k] each.
        """
        count = self.sizes[groups]
        if self_rows is not None:
            own = groups == self.group[self_rows, None]
            count = count - own.long()
        end = count.cumsum(dim=1)
        wanted = torch.arange(k, device=groups.device).expand(len(groups), k).contiguous()
        place = torch.searchsorted(end, wanted, right=True)
        member = self.start[groups.gather(1, place)] + wanted - (end - count).gather(1, place)
        if self_rows is not None:
            later = own.gather(1, place) & (self.members[member] >= self_rows[:, None])
            member = member + later.long()
        return place, self.members[member]


def _first_equal(rows: Tensor) -> Tensor:
    """The first row that equals each row, int64 [N].

    Equal rows have equal projections on any direction. So rows are sorted by their projection and
    split where two neighbours are too far apart, direction after direction, until hardly any but
    equal rows are together; then rows are compared with the first of their run.
    """
    width = rows.shape[1]
    reach = 16 * torch.finfo(rows.dtype).eps + 2 * width * torch.finfo(torch.float64).eps
    seed = torch.Generator().manual_seed(0)
    directions = torch.randn(width, _DIRECTIONS, dtype=torch.float64, generator=seed)
    directions = (directions / directions.norm(dim=0)).to(rows.device)
    projected = rows.new_empty(len(rows), _DIRECTIONS, dtype=torch.float64)
    for start, stop in row_blocks(len(rows), width):
        projected[start:stop] = rows[start:stop].double() @ directions
    run = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    for projection in projected.T:
        order = projection.argsort(stable=True)
        order = order[run[order].argsort(stable=True)]
        split = (projection[order].diff() > reach) | (run[order].diff() > 0)
        run[order] = torch.cat([run.new_zeros(1), split.cumsum(0)])
    itself = torch.arange(len(rows), device=rows.device)
    first = torch.full_like(itself, len(rows)).scatter_reduce(0, run, itself, "amin")[run]
    doubled = (first != itself).nonzero().flatten()
    for start, stop in row_blocks(len(doubled), width):
        some = doubled[start:stop]
        apart = torch.linalg.vector_norm(rows[some] - rows[first[some]], dim=1) > reach
        first[some[apart]] = some[apart]
    return first
