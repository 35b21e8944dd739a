"""The searches that compressed embeddings are scored by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from lowlabel.arrays import Features, Labels
from lowlabel.datasets import Kind
from lowlabel.features import EmbeddedDataset
from lowlabel.retrieval import (
    RetrievalResult,
    evaluate_copies,
    evaluate_retrieval,
    evaluate_revisited,
    learn_transform,
)
from lowlabel.retrieval.ground_truth import GroundTruth
from lowlabel.retrieval.post import PostProcessing


class Search(Protocol):
    """Queries, and what they are searched in."""

    @property
    def features(self) -> Features:
        """Embeddings of the queries, floats [Q, D]."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics to show, of those that `evaluate` computes."""
        ...

    def evaluate(
        self, steps: Sequence[PostProcessing], device: str | torch.device
    ) -> RetrievalResult:
        """Scores the embeddings after some compressions."""
        ...


@dataclass(frozen=True, eq=False)
class ClassSearch:
    """Images of the query's class are to be found.

    Attributes:
        features: Floats [Q, D].
        labels: Class of each, integers [Q].
        gallery: Features [G, D] and labels [G] to search in; by default the images themselves.
        metrics: See `evaluate_retrieval`.
    """

    features: Features
    labels: Labels
    gallery: tuple[Features, Labels] | None = None
    metrics: tuple[str, ...] = ("recall@1", "map@r")

    def evaluate(
        self, steps: Sequence[PostProcessing], device: str | torch.device
    ) -> RetrievalResult:
        """As `Search.evaluate`."""
        return evaluate_retrieval(
            self.features, self.labels, gallery=self.gallery, post=steps, ks=(1,), device=device
        )


@dataclass(frozen=True, eq=False)
class LandmarkSearch:
    """Images of the query's landmark are to be found; see `evaluate_revisited`.

    Attributes:
        features: Floats [Q, D].
        gallery: Floats [G, D].
        ground_truth: Rows of the gallery that are easy, hard or junk for each query.
        landmarks: Landmark of each query, integers [Q].
        metrics: See `evaluate_revisited`.
    """

    features: Features
    gallery: Features
    ground_truth: GroundTruth
    landmarks: Labels | None = None
    metrics: tuple[str, ...] = ("map_medium", "map_hard")

    def evaluate(
        self, steps: Sequence[PostProcessing], device: str | torch.device
    ) -> RetrievalResult:
        """As `Search.evaluate`."""
        return evaluate_revisited(
            self.features,
            self.gallery,
            self.ground_truth,
            ks=(1,),
            landmarks=self.landmarks,
            transform=_transform(steps, self.gallery, device),
            device=device,
        )


@dataclass(frozen=True, eq=False)
class CopySearch:
    """The original of each copy is to be found; see `evaluate_copies`.

    Attributes:
        features: Copies, floats [Q, D].
        labels: Picture of each, integers [Q].
        gallery: Originals, floats [G, D].
        gallery_labels: Picture of each, integers [G].
        metrics: See `evaluate_copies`.
    """

    features: Features
    labels: Labels
    gallery: Features
    gallery_labels: Labels
    metrics: tuple[str, ...] = ("map@20",)

    def evaluate(
        self, steps: Sequence[PostProcessing], device: str | torch.device
    ) -> RetrievalResult:
        """As `Search.evaluate`."""
        return evaluate_copies(
            self.features,
            self.labels,
            self.gallery,
            self.gallery_labels,
            transform=_transform(steps, self.gallery, device),
            device=device,
        )


def search_of(kind: Kind, data: EmbeddedDataset) -> Search:
    """The search that a division is made for.

    Args:
        kind: Kind of the division: "classes", "revisited" or "copies".
        data: Its embeddings, of the gallery too if there is one.
    """
    queries, gallery = data.evaluated, data.gallery
    if gallery is None:
        return ClassSearch(queries.features, queries.labels)
    if kind == "revisited":
        assert data.ground_truth is not None
        return LandmarkSearch(queries.features, gallery.features, data.ground_truth, queries.labels)
    if kind == "copies":
        return CopySearch(queries.features, queries.labels, gallery.features, gallery.labels)
    return ClassSearch(queries.features, queries.labels, (gallery.features, gallery.labels))


def _transform(
    steps: Sequence[PostProcessing], gallery: Features, device: str | torch.device
) -> Callable[[Tensor], Tensor] | None:
    return learn_transform(steps, gallery, device=device) if steps else None
