"""The base of whitening: a projection trained on other images."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.retrieval.post.base import Embedded, PostProcessing


@dataclass(frozen=True)
class Projection(PostProcessing):
    """Projects queries and gallery alike, and scales them to length 1.

    Attributes:
        dimensions: Number of dimensions to keep; 0 keeps all.
    """

    needs_train: ClassVar[bool] = True
    dimensions: int = 0

    def width(self, dimensions: int) -> int:
        """The dimensions that are kept."""
        return self.dimensions or dimensions

    @abstractmethod
    def projection(self, embedded: Embedded) -> Callable[[Tensor], Tensor]:
        """Returns the projection of rows [n, D] of any length, trained on `embedded.train`."""

    def apply(self, embedded: Embedded) -> Embedded:
        """Projects queries and gallery."""
        project = self.projection(embedded)
        rows = embedded.raw if self.needs_raw and embedded.raw else embedded
        gallery = project(rows.gallery)
        same = embedded.queries is embedded.gallery
        queries = gallery if same else project(rows.queries)
        return replace(
            embedded, queries=queries, gallery=gallery, train=None, train_labels=None, raw=None
        )

    def require_dimensions(self, kept: int, width: int) -> None:
        """Raises an `InputError` if more dimensions are to be kept than there are."""
        if kept > width:
            raise InputError(
                f"{self.spec} keeps more dimensions than the {width} of the features",
                f"Keep at most {width}.",
            )
