"""Random tasks in which no image to classify shares a group with a labelled one."""

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import ClassError, number_of
from lowlabel.fewshot.episodes import Episodes, EpisodeSampler, pick_without_replacement
from lowlabel.fewshot.query_counts import DRAWS_PER_SHARE, dirichlet_counts, query_slots

_MOST_PICKS = 128  # cards of a deck that are drawn one by one; of more, the deck is sorted
_MOST_LISTED = 5

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class GroupSampler(EpisodeSampler):
    """Draws tasks like `EpisodeSampler`, with queries of other groups than the support's.

    Classes and support are drawn uniformly, as there. The queries of a class are drawn uniformly
    among its images whose group has no labelled image in the task, of any class. Every class must
    have enough of them whatever the support is, so that no class is drawn less often.

    Args:
        labels: Class of each row, any integers, [N].
        groups: Group of each row (patient, camera, burst), any integers, [N].
        ways: Classes per task.
        shots: Labelled images per class.
        queries: Images per class to classify, on average.
        distribution: "balanced" or "dirichlet"; see `EpisodeSampler`.

    Attributes:
        picks: Images drawn of each class: as many as a task may need, or more.

    Raises:
        InputError: If there are too few classes, or too few images or groups of some class.
        UnknownNameError: If there is no such distribution.
    """

    def __init__(
        self,
        labels: IntArray,
        groups: IntArray,
        ways: int,
        shots: int,
        queries: int,
        distribution: str = "balanced",
    ) -> None:
        super().__init__(labels, ways, shots, queries, distribution)
        self._groups = np.unique(groups, return_inverse=True)[1]
        excluded = most_excluded(labels, groups, ways, shots)
        _require_groups(labels, self._sizes, excluded, shots, queries)
        most = queries if distribution == "balanced" else ways * queries
        self.picks = min(int(excluded.max()) + most, int(self._sizes.max()))

    @property
    def label(self) -> str:
        """What tells its tasks from others, in their hash."""
        return f"{super().label},groups apart"

    @property
    def _deck(self) -> int:
        """Random numbers for each class of a task."""
        return self.picks if self.picks <= _MOST_PICKS else int(self._sizes.max())

    def _draws_per_class(self) -> int:
        shares = 0 if self.distribution == "balanced" else DRAWS_PER_SHARE
        return 1 + shares + self._deck

    def _decode(self, uniforms: FloatArray) -> Episodes:
        by_class, rest = uniforms[:, : self.ways], uniforms[:, self.ways :]
        classes = pick_without_replacement(by_class, np.int64(len(self._sizes)))
        by_share, by_image = np.split(rest, [rest.shape[1] - self.ways * self._deck], 1)
        rows, drawn = self._shuffled(classes, by_image.reshape(*classes.shape, -1))
        groups = self._groups[rows]
        labelled = groups[..., : self.shots].reshape(len(classes), 1, 1, -1)
        free = drawn & ~(groups[..., None] == labelled).any(-1)
        first_free = np.argsort(~free, -1, kind="stable")
        others = np.take_along_axis(rows, first_free, -1)
        if self.distribution == "balanced":
            counts = np.full_like(classes, self.queries)
        else:
            by_share = by_share.reshape(*classes.shape, DRAWS_PER_SHARE)
            counts = dirichlet_counts(by_share, self.ways * self.queries, free.sum(-1))
        ways, places = query_slots(counts)
        task = np.arange(len(counts))[:, None]
        return Episodes(rows[..., : self.shots], others[task, ways, places], ways)

    def _shuffled(
        self, classes: IntArray, uniforms: FloatArray
    ) -> tuple[IntArray, NDArray[np.bool_]]:
        """Rows of each class in random order [T, ways, picks], and which of them there are."""
        sizes = self._sizes[classes][..., None]
        if self._deck <= _MOST_PICKS:
            members = pick_without_replacement(uniforms, sizes[..., 0])
        else:
            absent = np.arange(self._deck) >= sizes
            members = np.argsort(uniforms + absent, -1, kind="stable")[..., : self.picks]
        drawn = np.arange(members.shape[-1]) < sizes
        members = np.where(drawn, members, 0)
        return self._rows_by_class[self._starts[classes][..., None] + members], drawn


def most_excluded(labels: IntArray, groups: IntArray, ways: int, shots: int) -> IntArray:
    """Most images of each class that the support of a task can exclude by their groups [C].

    These are its largest groups: one for each shot, or one for each labelled image of the task if
    other classes have images of a group of the class.
    """
    classes, groups = (np.unique(codes, return_inverse=True)[1] for codes in (labels, groups))
    cells, sizes = np.unique(classes * (groups.max() + 1) + groups, return_counts=True)
    cell_class, cell_group = np.divmod(cells, groups.max() + 1)
    shared = np.bincount(cell_group)[cell_group] > 1
    reach = np.where(np.bincount(cell_class, shared) > 0, ways * shots, shots)
    order = np.lexsort((-sizes, cell_class))
    starts = np.searchsorted(cell_class[order], np.arange(len(reach)))
    place = np.arange(len(order)) - starts[cell_class[order]]
    counted = place < reach[cell_class[order]]
    excluded: IntArray = np.bincount(cell_class[order], sizes[order] * counted).astype(np.int64)
    return excluded


def _require_groups(
    labels: IntArray, sizes: IntArray, excluded: IntArray, shots: int, queries: int
) -> None:
    left = sizes - excluded
    small = np.flatnonzero(left < queries)
    if not len(small):
        return
    few = small[:_MOST_LISTED]
    listed = ", ".join(
        f"class {{}} has {number_of(size, 'images')} and can lose {gone} of them"
        for size, gone in zip(sizes[few], excluded[few], strict=True)
    )
    others = len(small) - len(few)
    more = f" and {number_of(others, 'more classes')} {'has' if others == 1 else 'have'} too few"
    raise ClassError(
        f"{number_of(shots, 'shots')} and {number_of(queries, 'queries')} of other groups need "
        f"{number_of(queries, 'images')} of each class whatever the groups of the labelled "
        f"images are, but {listed}{more if len(small) > len(few) else ''}",
        f"Use fewer shots, or at most {number_of(max(int(left.min()), 0), 'queries')}, leave these "
        "classes out, or let a group be on both sides: --set fewshot.groups=mixed.",
        np.unique(labels)[few].tolist(),
    )
