"""The interface of a few-shot method: frozen options and one function of a block of tasks."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Literal, Self

from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.moments import Moments
from lowlabel.fewshot.support import Support
from lowlabel.specs import Configurable, Option

Lengths = Literal["ignored", "relative", "absolute"]
Learned = Literal["images", "means", "moments"]
Seeds = Sequence[tuple[int, int]]
Scorer = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Method(Configurable, ABC):
    """Classifies queries from a few labelled images. Its dataclass fields are its options.

    Attributes:
        transductive: Whether a query's score depends on the other queries of its task.
        blocks_are_independent: Whether several threads may score blocks of tasks at once.
        grid: Values that tuning tries, by option.
        resolution: Scores of a task that differ by less are lost in rounding, whatever its classes.
        rotation_invariant: Whether a rotation of all transformed features changes no score.
        signed_alternative: What to use for features that are not all non-negative.
        iterated: Whether a task is iterated or draws random numbers; closed form if not.
        block_mib: Features of the tasks that a core of a CPU scores together, in MiB. Copies beyond
            32 MiB cost page faults, few tasks the time of Python itself.
        learns_from: What it takes of the labelled images: all of them; the mean of each class; or
            sums over them, by `fit_moments`. By the last two it learns from more images than memory
            holds.
        task_ms: Milliseconds of a 5-way task on two cores, with 384 dimensions and with 640; only
            of methods that take long.
    """

    transductive: ClassVar[bool] = False
    blocks_are_independent: ClassVar[bool] = True
    grid: ClassVar[Mapping[str, tuple[Option, ...]]] = {}
    resolution: ClassVar[float] = 0.0
    rotation_invariant: ClassVar[bool] = False
    signed_alternative: ClassVar[str] = "norm=l2 instead of tukey"
    iterated: ClassVar[bool] = False
    block_mib: ClassVar[int] = 24
    learns_from: ClassVar[Learned] = "images"
    task_ms: ClassVar[tuple[float, float]] = (0.0, 0.0)

    @property
    def splits(self) -> int:
        """Number of splits of half-sampling; fewer for methods that take longer."""
        return 24 if self.iterated else 48

    @property
    def needs_base(self) -> bool:
        """Whether the method uses the base classes with these options."""
        return False

    @property
    def lengths(self) -> Lengths:
        """Which lengths of the features count with these options.

        "ignored": only their directions count. "relative": a common scale of all features, base
        classes included, changes nothing. "absolute": an option has a scale of its own, such as
        the strength of a penalty.
        """
        return "absolute"

    @property
    def needs_non_negative(self) -> bool:
        """Whether the method needs features of at least 0 with these options."""
        return False

    def candidates(self) -> list[Self]:
        """The method with each combination of its grid; options that are not the default stay."""
        defaults = {field.name: field.default for field in fields(self)}
        free = {k: v for k, v in self.grid.items() if getattr(self, k) == defaults[k]}
        combinations = itertools.product(*free.values())
        return [replace(self, **dict(zip(free, values, strict=True))) for values in combinations]

    def require_usable(self, features: Tensor) -> None:
        """Raises an `InputError` if features [N, D] are negative and must not be."""
        if not self.needs_non_negative:
            return
        negative = int((features.amin(-1) < 0).sum())
        if negative:
            raise InputError(
                f"{self.spec} raises features to a power and needs features of at least 0, but "
                f"{negative} of {len(features)} rows have negative entries, the lowest "
                f"{features.min().item():.3g}",
                "Embeddings of a vision transformer have both signs: use "
                f"{self.signed_alternative}.",
            )

    def transform(self, features: Tensor, base: BaseStatistics | None) -> Tensor:
        """Transforms embeddings before they are used, each on its own, [N, D] → [N, D]."""
        return features

    def require_comparable(
        self, lengths: Tensor, transformed: Tensor, base: BaseStatistics | None
    ) -> None:
        """Raises an `InputError` if features cannot be compared with the base classes.

        Called where `lengths` is "relative" or `needs_base` is true.

        Args:
            lengths: Largest magnitude of each row of the features, [N, 1].
            transformed: The same after `transform`.
            base: Statistics of the base classes; given if `needs_base` is true.
        """

    @abstractmethod
    def fit(self, support: Support, base: BaseStatistics | None, seeds: Seeds) -> Scorer:
        """Learns T tasks, and gives a function that scores their classes for each query.

        The highest score is the prediction, and only score differences between the classes of one
        query matter. If all classes have the same support, all scores must be exactly equal, so
        that rounding decides nothing.

        Args:
            support: Transformed features of the labelled images.
            base: Statistics of the base classes; given if `needs_base` is true.
            seeds: Seed and index of each task, for methods that draw random numbers.

        Returns:
            A function from the transformed features of queries, [T, Q, D], to scores [T, Q, ways].
        """

    def fit_moments(self, moments: Moments) -> Scorer:
        """As `fit`, from sums over the labelled images of one task, of more than dimensions."""
        raise NotImplementedError(f"{self.name} learns from {self.learns_from}")

    def scores(self, support: Tensor, query: Tensor, base: BaseStatistics | None) -> Tensor:
        """Scores of the first tasks of seed 0, [T, Q, ways]; see `seeded_scores`."""
        return self.seeded_scores(support, query, base, [(0, task) for task in range(len(support))])

    def seeded_scores(
        self, support: Tensor, query: Tensor, base: BaseStatistics | None, seeds: Seeds
    ) -> Tensor:
        """Fits and scores in one step.

        Args:
            support: Transformed features of the labelled images, [T, ways, shots, D].
            query: Transformed features of the images to classify, [T, Q, D].
            base: Statistics of the base classes; given if `needs_base` is true.
            seeds: Seed and index of each task.

        Returns:
            Scores, [T, Q, ways].
        """
        return self.fit(Support.of(support), base, seeds)(query)

    def rows_per_task(self, ways: int, shots: int, queries: int) -> int:
        """Number of feature rows that a task holds in memory: queries, support and samples."""
        return ways * (shots + queries)

    def working_bytes(self, ways: int, images: int, queries: int, width: int) -> int:
        """About how much memory a task takes at its largest, besides its features.

        Args:
            ways: Number of classes.
            images: Number of labelled images of all classes.
            queries: Number of queries that are scored together.
            width: Number of dimensions.
        """
        points = images + queries * self.transductive
        return 4 * points * (3 * width + 8 * ways * self.transductive)

    def require_base(self, base: BaseStatistics | None) -> BaseStatistics:
        """Returns `base`.

        Raises:
            InputError: If it is None.
        """
        if base is None:
            raise InputError(
                f"{self.spec} needs the base classes' features and none were given",
                "Pass base=(base_features, base_labels).",
            )
        return base


def relative_to_first(scores: Tensor) -> Tensor:
    """Float64 scores minus the first class's score; differences of rounding become exactly 0."""
    differences = scores - scores[..., :1]
    return differences * (differences.abs() > 1e-11 * scores.abs().amax(-1, keepdim=True))
