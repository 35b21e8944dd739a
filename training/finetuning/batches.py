"""Class-balanced batches: some images of each of some classes."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import InputError, number_of
from lowlabel.training.engine.batches import BatchOrder


@dataclass(frozen=True)
class ClassBalancedOrder(BatchOrder):
    """Batches of `images_per_class` images of each of `batch_size / images_per_class` classes.

    Classes are taken from one random permutation after another, and the images of a class from
    random permutations of its own, so that all are used about equally often. A class with fewer
    than `images_per_class` images is never drawn; `left_out` counts these. An epoch has as many
    batches as the other classes' images fill.

    Attributes:
        labels: Class of each image, int64 [images].
        images_per_class: Images of a class in a batch.

    Raises:
        InputError: If the classes cannot fill a batch, or a batch holds a single class.
    """

    labels: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64), repr=False)
    images_per_class: int = 2

    def __post_init__(self) -> None:
        each = self.images_per_class
        if each < 1:
            raise InputError(f"images_per_class must be at least 1, not {each}")
        if self.batch_size % each:
            raise InputError(
                f"a batch of {number_of(self.batch_size, 'images')} cannot hold {each} of every "
                "class in it",
                f"Give a --batch-size that is a multiple of {each}.",
            )
        if self.classes_per_batch < 2:
            raise InputError(
                f"a batch of {self.batch_size:,} images with {each} of each class holds "
                f"{number_of(self.classes_per_batch, 'classes')}, and a loss needs at least 2",
                f"Give --batch-size {2 * each} or more, or fewer --images-per-class.",
            )
        if len(self._drawn) < self.classes_per_batch:
            raise InputError(
                f"a batch of {self.batch_size:,} images with {each} of each class needs "
                f"{self.classes_per_batch:,} classes, but {self._enough()}",
                f"Give --batch-size {len(self._drawn) * each} or less."
                if len(self._drawn) > 1
                else "Give fewer --images-per-class.",
            )
        super().__post_init__()

    def _enough(self) -> str:
        """Which classes are there, and have enough images."""
        drawn, there = len(self._drawn), number_of(len(self._counts), "classes")
        if drawn == len(self._counts):
            return f"there {'is' if drawn == 1 else 'are'} {there}"
        has = "has" if drawn == 1 else "have"
        return f"{drawn:,} of {there} {has} {number_of(self.images_per_class, 'images')} or more"

    @property
    def classes_per_batch(self) -> int:
        """Number of classes in a batch."""
        return self.batch_size // self.images_per_class

    @property
    def steps_per_epoch(self) -> int:
        """Optimisation steps in an epoch."""
        return int(self._counts[self._drawn].sum()) // self.batch_size

    @property
    def left_out(self) -> tuple[int, int]:
        """Numbers of classes with too few images, and of their images."""
        few = (self._counts > 0) & (self._counts < self.images_per_class)
        return int(few.sum()), int(self._counts[few].sum())

    def epoch_order(self, epoch: int) -> NDArray[np.int64]:
        """Indices of an epoch's images, batch after batch."""
        random = np.random.default_rng((self.seed, epoch))
        count, each = self.steps_per_epoch * self.classes_per_batch, self.images_per_class
        classes = self._epoch_classes(random, count)
        order = np.empty((count, each), np.int64)
        by_class = np.argsort(self.labels, kind="stable")
        ends = self._counts.cumsum()
        for label in np.unique(classes):
            places = np.flatnonzero(classes == label)
            images = by_class[ends[label] - self._counts[label] : ends[label]]
            groups = len(images) // each
            rounds = [
                random.permutation(images)[: groups * each].reshape(groups, each)
                for _ in range(-(-len(places) // groups))
            ]
            order[places] = np.concatenate(rounds)[: len(places)]
        return order.ravel()

    def _epoch_classes(self, random: np.random.Generator, count: int) -> NDArray[np.int64]:
        """The class of every group of images; the classes of a batch are different."""
        batches = len(self._drawn) // self.classes_per_batch
        whole = batches * self.classes_per_batch
        permutations = [random.permutation(self._drawn)[:whole] for _ in range(-(-count // whole))]
        return np.concatenate(permutations)[:count]

    @property
    def _counts(self) -> NDArray[np.int64]:
        return np.bincount(self.labels)

    @property
    def _drawn(self) -> NDArray[np.int64]:
        """The classes with enough images."""
        return np.flatnonzero(self._counts >= self.images_per_class)
