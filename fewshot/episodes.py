"""Random tasks: a choice of classes, and of support images and queries of each class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import ClassError, InputError, UnknownNameError, number_of
from lowlabel.fewshot.query_counts import DRAWS_PER_SHARE, dirichlet_counts, query_slots

QUERY_DISTRIBUTIONS = ("balanced", "dirichlet")
_MOST_LISTED = 5
_WORDS = 2**18  # random words decoded at once, independent of the block size

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Episodes:
    """A block of T tasks, as row numbers of the embedding table.

    Attributes:
        support: Rows of the labelled images, [T, ways, shots].
        query: Rows of the images to classify, [T, Q].
        query_ways: Class of each query within its task, 0 … ways-1, [T, Q].
    """

    support: IntArray
    query: IntArray
    query_ways: IntArray

    def __len__(self) -> int:
        return len(self.support)

    def __getitem__(self, tasks: slice) -> "Episodes":
        return Episodes(self.support[tasks], self.query[tasks], self.query_ways[tasks])

    def to_bytes(self) -> bytes:
        """The row numbers, task by task, as the same bytes on every platform."""
        rows = np.concatenate([self.support.reshape(len(self), -1), self.query], 1)
        return rows.astype("<i8").tobytes()


class EpisodeSampler:
    """Draws tasks uniformly: classes without replacement, then images of each without replacement.

    A task depends only on the seed and its index, so a longer run begins with the tasks of a
    shorter one and the block size changes nothing. Classes may differ in size; all classes, and
    all images of a class, are equally likely.

    Args:
        labels: Class of each row, any integers, [N].
        ways: Classes per task.
        shots: Labelled images per class.
        queries: Images per class to classify, on average.
        distribution: "balanced" (`queries` images of each class) or "dirichlet" (ways × queries
            images, divided among the classes by Dirichlet(2, …, 2); see `dirichlet_counts`).

    Raises:
        InputError: If there are too few classes, or too few images of some class.
        UnknownNameError: If there is no such distribution.
    """

    def __init__(
        self, labels: IntArray, ways: int, shots: int, queries: int, distribution: str = "balanced"
    ) -> None:
        classes, membership, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        _require_enough(classes, sizes, ways, shots, queries)
        check_query_distribution(distribution)
        self.distribution = distribution
        self.ways, self.shots, self.queries = ways, shots, queries
        self._rows_by_class = np.argsort(membership, kind="stable")
        self._sizes = sizes
        self._starts = np.cumsum(sizes) - sizes

    def blocks(self, tasks: int, seed: int, block: int) -> Iterator[Episodes]:
        """Yields the first `tasks` tasks of `seed`, at most `block` at a time."""
        # Unlike numpy's distributions, a bit generator's raw words are stable across versions.
        words = np.random.PCG64(seed)
        draws_per_task = self.ways * self._draws_per_class()
        together = block * max(1, _WORDS // (block * draws_per_task))
        for first in range(0, tasks, together):
            count = min(together, tasks - first)
            raw = words.random_raw(count * draws_per_task).reshape(count, draws_per_task)
            drawn = self._decode((raw >> np.uint64(11)).astype(np.float64) * 2.0**-53)
            for start in range(0, count, block):
                yield drawn[start : start + block]

    @property
    def label(self) -> str:
        """What tells its tasks from others, in their hash; empty for balanced tasks."""
        return "" if self.distribution == "balanced" else f",{self.distribution}"

    def _draws_per_class(self) -> int:
        if self.distribution == "balanced":
            return 1 + self.shots + self.queries
        return 1 + DRAWS_PER_SHARE + self.shots + self.ways * self.queries

    def _decode(self, uniforms: FloatArray) -> Episodes:
        by_class, rest = uniforms[:, : self.ways], uniforms[:, self.ways :]
        classes = pick_without_replacement(by_class, np.int64(len(self._sizes)))
        decode = self._balanced if self.distribution == "balanced" else self._unequal
        return decode(classes, rest)

    def _balanced(self, classes: IntArray, uniforms: FloatArray) -> Episodes:
        by_image = uniforms.reshape(*classes.shape, -1)
        members = pick_without_replacement(by_image, self._sizes[classes])
        rows = self._rows_by_class[self._starts[classes][..., None] + members]
        query = rows[..., self.shots :].reshape(len(rows), -1)
        ways = np.arange(self.ways).repeat(self.queries)
        return Episodes(rows[..., : self.shots], query, np.broadcast_to(ways, query.shape))

    def _unequal(self, classes: IntArray, uniforms: FloatArray) -> Episodes:
        by_share, by_image = np.split(uniforms, [self.ways * DRAWS_PER_SHARE], 1)
        by_share = by_share.reshape(*classes.shape, DRAWS_PER_SHARE)
        sizes, starts = self._sizes[classes], self._starts[classes]
        counts = dirichlet_counts(by_share, self.ways * self.queries, sizes - self.shots)
        by_image = by_image.reshape(*classes.shape, -1)[..., : self.shots + counts.max()]
        members = pick_without_replacement(by_image, sizes)
        ways, places = query_slots(counts)
        task = np.arange(len(counts))[:, None]
        support = self._rows_by_class[starts[..., None] + members[..., : self.shots]]
        query = self._rows_by_class[starts[task, ways] + members[task, ways, self.shots + places]]
        return Episodes(support, query, ways)


def pick_without_replacement(uniforms: FloatArray, sizes: IntArray | np.int64) -> IntArray:
    """The first k cards of shuffled decks, for many decks at once.

    A Fisher-Yates shuffle that never stores the deck: step i swaps positions i and j[i] ≥ i, and
    the card at j[i] is traced back through the earlier swaps. The cost is k² operations per deck,
    independent of its size.

    Args:
        uniforms: Independent uniform numbers in [0, 1), [..., k].
        sizes: Number of cards in each deck, [...].

    Returns:
        k different numbers out of 0 … size-1 for each deck, every ordered choice equally likely.
        A deck of fewer than k cards gives all of its cards first; the rest is meaningless.
    """
    picks = uniforms.shape[-1]
    left = np.asarray(sizes)[..., None] - np.arange(picks)
    swaps = np.arange(picks) + (uniforms * left).astype(np.int64)
    places = np.ascontiguousarray(np.moveaxis(swaps, -1, 0))
    cards = places.copy()
    for i in range(1, picks):
        for earlier in range(i - 1, -1, -1):
            np.copyto(cards[i], earlier, where=cards[i] == places[earlier])
    return np.moveaxis(cards, 0, -1)


def check_query_distribution(name: str) -> None:
    """Raises an `UnknownNameError` if there is no query distribution of that name."""
    if name not in QUERY_DISTRIBUTIONS:
        raise UnknownNameError("query distribution", name, QUERY_DISTRIBUTIONS)


def check_class_sizes(labels: IntArray, ways: int, shots: Sequence[int], queries: int) -> None:
    """Raises an `InputError` if no number of shots can be drawn; it tells what all need."""
    classes, sizes = np.unique(labels, return_counts=True)
    if len(classes) < ways or sizes.min() < min(shots) + queries:
        _require_enough(classes, sizes, ways, max(shots), queries)


def _require_enough(
    classes: IntArray, sizes: IntArray, ways: int, shots: int, queries: int
) -> None:
    if len(classes) < ways:
        raise InputError(
            f"a {ways}-way task needs {ways} classes, but the labels hold {len(classes)}",
            f"Use at most {len(classes)} ways.",
        )
    small = np.flatnonzero(sizes < shots + queries)
    if len(small):
        few = small[:_MOST_LISTED]
        listed = ", ".join(f"class {{}} has {size}" for size in sizes[few])
        left = len(small) - len(few)
        more = f" and {number_of(left, 'more classes')} {'has' if left == 1 else 'have'} too few"
        raise ClassError(
            f"{number_of(shots, 'shots')} and {number_of(queries, 'queries')} need "
            f"{shots + queries} images of each class, but {listed}"
            f"{more if len(small) > len(few) else ''}",
            "Use fewer shots or queries, or leave these classes out: --min-images "
            f"{shots + queries} for folders, or remove them.",
            classes[few].tolist(),
        )
