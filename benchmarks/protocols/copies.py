"""Copy detection: altered pictures against their originals and distractors."""

from dataclasses import dataclass
from typing import Any, ClassVar

from lowlabel.arrays import as_integers
from lowlabel.benchmarks.protocols.landmarks import InstanceRetrieval
from lowlabel.features import EmbeddedDataset, Ranking
from lowlabel.retrieval import RetrievalResult, evaluate_copies, evaluate_copies_ranking


@dataclass(frozen=True, kw_only=True)
class Copies(InstanceRetrieval):
    """mAP over the first images; see `lowlabel.retrieval.evaluate_copies`.

    Attributes:
        top: Originals at later ranks count as not found.
    """

    name: ClassVar[str] = "copies"
    kind: ClassVar[str] = "copies"

    top: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        as_integers(1, top=self.top)

    def own_options(self) -> dict[str, object]:
        """The number of ranks that count."""
        return {"top": self.top}

    def evaluate(self, data: EmbeddedDataset, **shared: Any) -> RetrievalResult:
        """Scores the copies by their originals' classes."""
        assert data.gallery is not None
        return evaluate_copies(
            data.evaluated.features,
            data.evaluated.labels,
            data.gallery.features,
            data.gallery.labels,
            top=self.top,
            **shared,
        )

    def evaluate_lists(
        self, data: EmbeddedDataset, ranking: Ranking, **shared: Any
    ) -> RetrievalResult:
        """Scores ranked lists by the copies' originals."""
        assert data.gallery is not None
        return evaluate_copies_ranking(
            ranking.rows, data.evaluated.labels, data.gallery.labels, top=self.top, **shared
        )
