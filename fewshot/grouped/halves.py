"""Tasks that keep groups apart, in halves of the images."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowlabel.fewshot.episodes import Episodes
from lowlabel.fewshot.grouped.sampler import GroupSampler, most_excluded
from lowlabel.fewshot.halves import Halves

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class GroupedHalves:
    """Halves of every class's images, each with tasks of its own groups.

    The classes of the tasks are the same in all halves. The places of the images cannot be: the
    groups at them differ.

    Attributes:
        halves: The splits, which divide no group.
        groups: Group of each image, [N].
        ways: Classes per task.
        shots: Labelled images per class.
        distribution: "balanced" or "dirichlet".
        seed: Random seed of the run.
    """

    halves: Halves
    groups: IntArray
    ways: int
    shots: int
    distribution: str
    seed: int

    def room(self) -> int:
        """Queries that every class of every half can have, whatever the support is."""
        labels = self.halves.labels
        sizes = np.bincount(labels, minlength=len(self.halves.sizes))
        return min(
            int((sizes - most_excluded(labels, self.groups[rows], self.ways, self.shots)).min())
            for rows in self._rows()
        )

    def blocks(self, tasks: int, queries: int, block: int) -> Iterator[tuple[IntArray, Episodes]]:
        """Yields `tasks` tasks in every half of every split, at most `block` at a time."""
        samplers = [self._sampler(rows, queries) for rows in self._rows()]
        picks = max(sampler.picks for sampler in samplers)
        for rows, sampler in zip(self._rows(), samplers, strict=True):
            first, sampler.picks = 0, picks
            for drawn in sampler.blocks(tasks, self.seed, block):
                images = Episodes(rows[drawn.support], rows[drawn.query], drawn.query_ways)
                yield np.arange(first, first + len(drawn)), images
                first += len(drawn)

    def _rows(self) -> Iterator[IntArray]:
        for rows in self.halves.rows.reshape(-1, self.halves.rows.shape[-1]):
            yield rows.astype(np.int64)

    def _sampler(self, rows: IntArray, queries: int) -> GroupSampler:
        labels, groups = self.halves.labels, self.groups[rows]
        return GroupSampler(labels, groups, self.ways, self.shots, queries, self.distribution)
