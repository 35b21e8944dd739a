"""Half-sampling: random splits of every class's images into halves, scored on the same tasks."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowlabel.fewshot.episodes import Episodes

HALF_TASKS = 200
_STREAM = 1  # tells the random numbers of the splits from those of the tasks

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Halves:
    """Splits of the images of every class into two halves of equal size.

    Attributes:
        rows: Row of the image at each place of each half of each split, int32 [S, 2, n].
        labels: Class of each place, 0 … C-1, [n].
        sizes: Number of places of each class, [C]; 0 if a class cannot be halved.
    """

    rows: NDArray[np.int32]
    labels: IntArray
    sizes: IntArray

    @classmethod
    def draw(cls, labels: IntArray, units: IntArray, splits: int, seed: int) -> "Halves":
        """Draws splits that depend only on the labels, the units and the seed.

        The units of a class are put in random order, and the first half takes them up to half of
        the images. A half that is larger than another of its class, by an odd image or by groups
        of unequal size, leaves some out. More splits begin with the same ones.

        Args:
            labels: Class of each image, [N].
            units: What is never divided: the number of each image, or of its group, [N].
            splits: Number of splits, S.
            seed: Random seed of the run.
        """
        _, classes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        numbers = np.unique(units, return_inverse=True)[1]
        _, unit, unit_sizes = np.unique(
            classes * (numbers.max() + 1) + numbers, return_inverse=True, return_counts=True
        )
        unit_classes = np.empty_like(unit_sizes)
        unit_classes[unit] = classes
        starts = sizes.cumsum() - sizes
        words = np.random.PCG64(np.random.SeedSequence((seed, _STREAM)))
        rows = np.empty((splits, len(labels)), np.int32)
        firsts = np.empty((splits, len(sizes)), np.int64)
        for split in range(splits):
            order = np.lexsort((words.random_raw(len(unit_sizes)), unit_classes))
            ordered, members = unit_sizes[order], unit_classes[order]
            is_first = 2 * (ordered.cumsum() - starts[members]) - ordered < sizes[members]
            firsts[split] = np.bincount(members, ordered * is_first, len(sizes))
            place = np.empty_like(order)
            place[order] = np.arange(len(order))
            rows[split] = np.argsort(place[unit], kind="stable")
        least = np.minimum(firsts, sizes - firsts).min(0)
        of_class = np.repeat(np.arange(len(sizes)), least)
        within = np.arange(len(of_class)) - (least.cumsum() - least)[of_class]
        first = np.broadcast_to(starts[of_class] + within, (splits, len(within)))
        second = first + firsts[:, of_class]
        halves = [np.take_along_axis(rows, places, 1) for places in (first, second)]
        return cls(np.stack(halves, 1), of_class, least)

    def blocks(self, drawn: Episodes, block: int) -> Iterator[tuple[IntArray, Episodes]]:
        """Yields the same tasks in every half of every split, at most `block` at a time.

        Args:
            drawn: The tasks, as places instead of rows.
            block: Number of tasks.

        Yields:
            The number of each task in `drawn`, and the tasks as rows.
        """
        by_half = self.rows.reshape(-1, self.rows.shape[-1])
        total = len(by_half) * len(drawn)
        for first in range(0, total, block):
            half, task = np.divmod(np.arange(first, min(first + block, total)), len(drawn))
            support = by_half[half[:, None, None], drawn.support[task]].astype(np.int64)
            query = by_half[half[:, None], drawn.query[task]].astype(np.int64)
            yield task, Episodes(support, query, drawn.query_ways[task])


def differences(accuracies: NDArray[np.float64], tasks: int) -> NDArray[np.float64]:
    """First half minus second half, by split and task [S, tasks], of the tasks of `blocks`."""
    halves = accuracies.reshape(-1, 2, tasks)
    found: NDArray[np.float64] = halves[:, 0] - halves[:, 1]
    return found
