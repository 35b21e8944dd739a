"""What every few-shot method is: frozen options and one function of a block of tasks."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self

from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.specs import Configurable, Option


@dataclass(frozen=True)
class Method(Configurable, ABC):
    """A classifier of queries by a few labelled images. Its dataclass fields are its options.

    Attributes:
        transductive: Whether a query's score depends on the other queries of its task.
        grid: The values that tuning tries, by option.
    """

    transductive: ClassVar[bool] = False
    grid: ClassVar[Mapping[str, tuple[Option, ...]]] = {}

    @property
    def needs_base(self) -> bool:
        """Whether the method, with these options, uses the base classes."""
        return False

    @property
    def needs_non_negative(self) -> bool:
        """Whether the method, with these options, cannot take features of both signs."""
        return False

    def candidates(self) -> list[Self]:
        """The method with every combination of its grid; options that were set stay as they are."""
        defaults = {field.name: field.default for field in fields(self)}
        free = {k: v for k, v in self.grid.items() if getattr(self, k) == defaults[k]}
        combinations = itertools.product(*free.values())
        return [replace(self, **dict(zip(free, values, strict=True))) for values in combinations]

    def transform(self, features: Tensor, base: BaseStatistics | None) -> Tensor:
        """Prepares all embeddings at once where that needs no task, [N, D] → [N, D]."""
        return features

    @abstractmethod
    def scores(self, support: Tensor, query: Tensor, base: BaseStatistics | None) -> Tensor:
        """Scores the classes of T tasks for each query; the highest score is the prediction.

        Only differences between the classes of one query have a meaning. Where all classes have the
        same support, all scores must be exactly equal, so that chance decides nothing.

        Args:
            support: Transformed features of the labelled images, [T, ways, shots, D].
            query: Transformed features of the images to classify, [T, Q, D].
            base: The base classes' statistics, where `needs_base` is true.

        Returns:
            Scores, [T, Q, ways].
        """

    def seeded_scores(
        self,
        support: Tensor,
        query: Tensor,
        base: BaseStatistics | None,
        seeds: Sequence[tuple[int, int]],
    ) -> Tensor:
        """`scores`, for a method that draws random numbers: by the seed and number of each task."""
        return self.scores(support, query, base)

    def rows_per_task(self, ways: int, shots: int, queries: int) -> int:
        """How many rows of features a task takes in memory, all queries and examples counted."""
        return ways * (shots + queries)

    def require_base(self, base: BaseStatistics | None) -> BaseStatistics:
        """Gives `base` back.

        Raises:
            InputError: If there is none.
        """
        if base is None:
            raise InputError(
                f"{self.spec} needs the base classes' features and none were given",
                "Pass base=(base_features, base_labels).",
            )
        return base


def apart_from_first(scores: Tensor) -> Tensor:
    """Float64 scores less that of the first class; equal but for rounding is exactly 0."""
    apart = scores - scores[..., :1]
    return apart * (apart.abs() > 1e-11 * scores.abs().amax(-1, keepdim=True))
