"""What every few-shot method is: frozen options and one function of a block of tasks."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import normalize

from lowlabel.errors import InputError
from lowlabel.fewshot.base import BaseStatistics
from lowlabel.specs import Configurable


@dataclass(frozen=True)
class Method(Configurable, ABC):
    """A classifier of queries by a few labelled images. Its dataclass fields are its options.

    Attributes:
        transductive: Whether a query's score depends on the other queries of its task.
    """

    transductive: ClassVar[bool] = False

    @property
    def needs_base(self) -> bool:
        """Whether the method, with these options, uses the base classes."""
        return False

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


def unit_rows(features: Tensor) -> Tensor:
    """Scales the last dimension to Euclidean length 1; a zero row stays zero."""
    return normalize(features, dim=-1)
