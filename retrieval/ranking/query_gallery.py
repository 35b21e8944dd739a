"""What is searched for what: embeddings of both sides, and who is whose positive."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.retrieval.inputs import Array, as_features, as_labels
from lowlabel.retrieval.post import Embedded, Post, Similarity, apply_posts
from lowlabel.retrieval.ranking.embeddings import Embeddings
from lowlabel.retrieval.ranking.positives import Layout, gallery_layout, leave_one_out_layout

Labelled = tuple[Array, Array | Sequence[int]]


@dataclass(frozen=True)
class Task:
    """Queries and a gallery.

    Attributes:
        queries: The queries' embeddings.
        gallery: The gallery's; the same object where every image is a query against all others
            and neither side was changed alone.
        layout: Who is whose positive.
        query_labels: int64 [Q].
        gallery_labels: int64 [G].
        similarity: What takes the place of cosines, if something does.
    """

    queries: Embeddings
    gallery: Embeddings
    layout: Layout
    query_labels: Tensor
    gallery_labels: Tensor
    similarity: Similarity | None = None

    @classmethod
    def of(cls, queries: Labelled, gallery: Labelled | None, device: torch.device) -> "Task":
        """Checks arrays; without a gallery every image is a query against all others.

        Raises:
            InputError: If shapes do not fit, features are no finite floats or all zero, or labels
                are no integers.
        """
        embeddings, labels = _checked(queries, device, "features", "labels")
        if gallery is None:
            return cls(embeddings, embeddings, leave_one_out_layout(labels), labels, labels)
        searched, searched_labels = _checked(gallery, device, "gallery features", "gallery labels")
        if embeddings.dimensions != searched.dimensions:
            raise InputError(
                f"queries have {embeddings.dimensions} dimensions, the gallery "
                f"{searched.dimensions}",
                "Embed both with one model, at the same pooling.",
            )
        layout = gallery_layout(labels, searched_labels)
        return cls(embeddings, searched, layout, labels, searched_labels)

    @property
    def others(self) -> int:
        """How many images a query is compared with."""
        return len(self.gallery) - self.layout.leave_one_out

    @property
    def lone(self) -> int:
        """How many queries have no positive."""
        return int((self.layout.positives == 0).sum())

    def unit_rows(self) -> tuple[Tensor, Tensor]:
        """Both sides at length 1 in float32 (float64 where they were given so), in their order."""
        queries = _unit(self.queries)
        same = self.queries is self.gallery
        return queries, queries if same else _unit(self.gallery)

    def processed(self, posts: Sequence[Post], train: Array | None) -> "Task":
        """The task after post-processing.

        Raises:
            InputError: If the training images do not fit, or what a post-processing needs is
                missing.
        """
        if not posts:
            return self
        queries, gallery = self.unit_rows()
        learnt = None
        if train is not None:
            rows = as_features(train, "train features").to(queries.device)
            learnt = _unit(Embeddings.of(rows, "train features")).to(queries.dtype)
        own = self.layout.leave_one_out
        result = apply_posts(posts, Embedded(queries, gallery, own, learnt))
        if not isinstance(result, Embedded):
            return replace(self, similarity=result)
        processed = Embeddings.of(result.queries, "processed queries")
        same = result.queries is result.gallery
        searched = processed if same else Embeddings.of(result.gallery, "processed gallery")
        return replace(self, queries=processed, gallery=searched)


def _checked(
    labelled: Labelled, device: torch.device, name: str, label_name: str
) -> tuple[Embeddings, Tensor]:
    features = as_features(labelled[0], name)
    labels = as_labels(labelled[1], len(features), label_name)
    return Embeddings.of(features.to(device), name), labels.to(device)


def _unit(embeddings: Embeddings) -> Tensor:
    rows = torch.arange(len(embeddings), device=embeddings.raw.device)
    return embeddings.unit(rows, embeddings.raw.dtype)
