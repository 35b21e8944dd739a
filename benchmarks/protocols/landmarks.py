"""Landmark retrieval on revisited Oxford and Paris, as easy, medium and hard."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, Self

from lowlabel.arrays import as_counts
from lowlabel.benchmarks.protocols.base import without_groups
from lowlabel.benchmarks.protocols.compressed import stored_bytes
from lowlabel.benchmarks.protocols.ranking import (
    RankingProtocol,
    list_options,
    method_of,
    retrieval_scores,
)
from lowlabel.benchmarks.protocols.trial import ProtocolScores, Trial
from lowlabel.datasets import Dataset, Division, find_dataset
from lowlabel.features import BackboneOptions, EmbeddedDataset, Framing, Ranking
from lowlabel.features.models.encoders import Encoder
from lowlabel.progress import progress_bar
from lowlabel.retrieval import (
    RetrievalResult,
    evaluate_revisited,
    evaluate_revisited_ranking,
    learn_transform,
)
from lowlabel.retrieval.post import PostProcessing
from lowlabel.retrieval.post.projection import Projection
from lowlabel.retrieval.transform import unfit_steps

DISTRACTORS = "distractors"


@dataclass(frozen=True, kw_only=True)
class InstanceRetrieval(RankingProtocol):
    """Queries against a gallery of other images and distractors.

    `post` is a whitening, compressions, or both in this order.

    Attributes:
        kind: Kind of the divisions that fit.
        framing: How images become the model's input; see `lowlabel.features.load_backbone`. This
            and the next three hold where the command line says nothing.
        resolution: Side of the images in pixels; the model's own by default.
        scales: Factors at which images are embedded.
        pooling: From tokens to a vector; the model's own by default.
        distractors: A dataset whose images join the gallery.
        division: Division to take of datasets that have it and are named without one; their own
            default if empty.
        by_dataset: Other values of these fields for datasets, by their names.
    """

    kind: ClassVar[str]

    framing: Framing = "crop"
    resolution: int | None = None
    scales: tuple[float, ...] = (1.0,)
    pooling: str | None = None
    distractors: str | None = None
    division: str = ""
    by_dataset: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.by_dataset:
            self.for_dataset(find_dataset(name)[0])  # checks the fields

    @abstractmethod
    def own_options(self) -> dict[str, object]:
        """The options of this protocol alone, for the record."""

    @abstractmethod
    def evaluate(self, data: EmbeddedDataset, **shared: Any) -> RetrievalResult:
        """Scores the queries; `shared` goes to the evaluation as it is."""

    @abstractmethod
    def evaluate_lists(
        self, data: EmbeddedDataset, ranking: Ranking, **shared: Any
    ) -> RetrievalResult:
        """Scores ranked lists; `shared` goes to the evaluation as it is."""

    def for_dataset(self, dataset: Dataset | None) -> Self:
        """The protocol with the values that a dataset has of its own."""
        own = self.by_dataset.get(dataset.name, {}) if dataset else {}
        return replace(self, by_dataset={}).with_options(own) if own else self

    def division_of(self, spec: str) -> Division | None:
        """As `Protocol.division_of`, with the protocol's division as the default."""
        dataset, name = find_dataset(spec)
        if not name and self.division in [each.name for each in dataset.divisions]:
            spec = f"{spec}:{self.division}"
        return super().division_of(spec)

    def needs(self, division: Division) -> tuple[str, ...]:
        """Queries and gallery."""
        if division.kind != self.kind or division.gallery is None:
            return ()
        return (division.evaluated, division.gallery)

    def backbone(self, asked: BackboneOptions, encoder: Encoder | None = None) -> BackboneOptions:
        """Completes what was asked for by the protocol's framing, resolution, scales, pooling."""
        return asked.completed(
            pooling=self.pooling,
            resolution=self.resolution,
            framing=self.framing,
            scales=self.scales,
        )

    def companions(self) -> dict[str, str]:
        """The distractors."""
        return {DISTRACTORS: self.distractors} if self.distractors else {}

    def unfit(self, division: Division) -> str | None:
        """Images pass in blocks: whitening, learned from a file, and compressions go with them."""
        if self.interval == "groups" and (why := without_groups(division)):
            return why
        if why := unfit_steps(self.post):
            return why
        if (whitening := self._whitening()) and self.train_features is None:
            return f"has no images to learn {whitening.spec} from: add --train-features FILE."
        if self.train_features and not whitening:
            return "learns nothing from --train-features: add --post whiten, or leave it out."
        return None

    def _whitening(self) -> PostProcessing | None:
        return next((step for step in self.post if isinstance(step, Projection)), None)

    def trials(self, data: EmbeddedDataset, device: str) -> Iterator[Trial]:
        """Yields one trial."""
        distractors = data.stored.get(DISTRACTORS)
        named = distractors.facts.dataset if distractors else None
        if data.ranking is not None:
            named = data.ranking.distractor_set or None
        options: dict[str, object] = {
            "ties": self.ties,
            "distractors": named,
            **self.own_options(),
            **list_options(data),
        }
        experiment = self.experiment(
            data,
            data.division,
            options,
            method_of(self.post, data),
            data.evaluated_part,
            data.gallery_part,
            DISTRACTORS,
            data.train_part,
        )
        yield Trial((experiment,), partial(self._score, data, device), self.interval)

    def describe(self) -> str:
        """Such as "landmarks, distractors: none"."""
        return f"{self.name}, distractors: {self.distractors or 'none'}"

    def _score(self, data: EmbeddedDataset, device: str) -> list[ProtocolScores]:
        assert data.gallery is not None
        if data.ranking is not None:
            return self._score_lists(data, data.ranking)
        with ExitStack() as stack:
            rows = [stack.enter_context(part.rows()) for part in data.stored.values()]
            transform = None
            if self.post:
                transform = learn_transform(
                    self.post,
                    data.gallery.features,
                    train=data.train.features if data.train else None,
                    train_labels=data.train.labels if data.train else None,
                    device=device,
                )
            result = self.evaluate(
                data,
                distractors=rows,
                ties=self.ties,
                transform=transform,
                interval=self.interval,
                device=device,
                progress=stack.enter_context(progress_bar(f"{self.name} on {data.title}", "img")),
            )
        counts = {"gallery": len(data.gallery.labels), "distractors": sum(map(len, rows))}
        counts |= stored_bytes(data, self.post)
        return [retrieval_scores(result, self.post, **counts)]

    def _score_lists(self, data: EmbeddedDataset, ranking: Ranking) -> list[ProtocolScores]:
        assert data.gallery is not None
        with progress_bar(f"{self.name} on {data.title}", "query") as progress:
            result = self.evaluate_lists(
                data,
                ranking,
                scores=ranking.scores,
                distractors=ranking.distractors,
                ties=self.ties,
                interval=self.interval,
                progress=progress,
            )
        counts = {"gallery": len(data.gallery.labels), "distractors": ranking.distractors}
        return [retrieval_scores(result, (), **counts)]


@dataclass(frozen=True, kw_only=True)
class Landmarks(InstanceRetrieval):
    """mAP and mP@k; see `lowlabel.retrieval.evaluate_revisited`.

    Attributes:
        precision_at: The k of mP@k.
    """

    name: ClassVar[str] = "landmarks"
    kind: ClassVar[str] = "revisited"

    precision_at: tuple[int, ...] = (1, 5, 10)

    def __post_init__(self) -> None:
        super().__post_init__()
        as_counts(self.precision_at, "precision_at")

    def own_options(self) -> dict[str, object]:
        """The k of mP@k."""
        return {"ks": self.precision_at}

    def evaluate(self, data: EmbeddedDataset, **shared: Any) -> RetrievalResult:
        """Scores the queries by the ground truth."""
        assert data.gallery is not None and data.ground_truth is not None
        return evaluate_revisited(
            data.evaluated.features,
            data.gallery.features,
            data.ground_truth,
            ks=self.precision_at,
            landmarks=data.evaluated.labels,
            **shared,
        )

    def evaluate_lists(
        self, data: EmbeddedDataset, ranking: Ranking, **shared: Any
    ) -> RetrievalResult:
        """Scores ranked lists by the ground truth."""
        assert data.gallery is not None and data.ground_truth is not None
        return evaluate_revisited_ranking(
            ranking.rows,
            data.ground_truth,
            images=len(data.gallery.labels),
            ks=self.precision_at,
            landmarks=data.evaluated.labels,
            **shared,
        )
