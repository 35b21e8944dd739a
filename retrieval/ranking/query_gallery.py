"""Queries and the gallery that they are searched in, with the positives of each query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lowlabel.arrays import Features, Labels, as_features, as_labels, require_same_width
from lowlabel.embeddings import Embeddings
from lowlabel.retrieval.post import (
    Embedded,
    PostProcessing,
    RawRows,
    apply_post_processing,
    find_twins,
)
from lowlabel.retrieval.post.ties import equal_for_twins
from lowlabel.retrieval.ranking.positives import Layout, gallery_layout, leave_one_out_layout
from lowlabel.retrieval.ranking.precomputed_ranker import Similarity
from lowlabel.retrieval.ranking.products import all_unit_rows, embed
from lowlabel.retrieval.ranking.same_group import same_group

LabelledFeatures = tuple[Features, Labels]


@dataclass(frozen=True)
class QueryGallery:
    """Queries and a gallery.

    Attributes:
        queries: Embeddings of the queries.
        gallery: Embeddings of the gallery; the same object in leave-one-out, unless
            post-processing changed one side alone.
        layout: The order of queries and gallery, with the positives of each query.
        query_labels: int64 [Q].
        gallery_labels: int64 [G].
        features: Queries and gallery with the lengths that they were given with.
        similarity: Similarities that replace the cosines, if any.
    """

    queries: Embeddings
    gallery: Embeddings
    layout: Layout
    query_labels: Tensor
    gallery_labels: Tensor
    features: tuple[Tensor, Tensor]
    similarity: Similarity | None = None

    @classmethod
    def of(
        cls, queries: LabelledFeatures, gallery: LabelledFeatures | None, device: torch.device
    ) -> "QueryGallery":
        """Checks arrays. Without a gallery every image is a query against all others.

        Raises:
            InputError: If shapes do not match, features are not finite floats or are all zero, or
                labels are not integers.
        """
        features, embeddings, labels = _checked(queries, device, "features", "labels")
        if gallery is None:
            layout = leave_one_out_layout(labels)
            return cls(embeddings, embeddings, layout, labels, labels, (features, features))
        others, searched, searched_labels = _checked(
            gallery, device, "gallery features", "gallery labels"
        )
        require_same_width(
            {"features": embeddings.dimensions, "gallery features": searched.dimensions}
        )
        layout = gallery_layout(labels, searched_labels)
        return cls(embeddings, searched, layout, labels, searched_labels, (features, others))

    def ignoring(self, groups: Tensor, gallery_groups: Tensor) -> "QueryGallery":
        """Ignores the images of a query's own group, int64 [Q] and [G]."""
        order = self.layout.queries, self.layout.gallery
        queries, gallery = (self.query_labels, groups), (self.gallery_labels, gallery_groups)
        ignored = same_group(queries, gallery, order)
        return replace(self, layout=replace(self.layout, ignored=ignored))

    @property
    def compared(self) -> int:
        """Number of gallery images besides the query's own."""
        return len(self.gallery) - self.layout.leave_one_out

    @property
    def others(self) -> int:
        """Number of images that every query is compared with, at least."""
        if self.layout.ignored is None:
            return self.compared
        return len(self.gallery) - self.layout.ignored.largest

    @property
    def without_positives(self) -> int:
        """Number of queries without a positive."""
        return int((self.layout.scored == 0).sum())

    def unit_rows(self) -> tuple[Tensor, Tensor]:
        """Both sides at length 1, in their order and in the dtype of the features."""
        queries = all_unit_rows(self.queries)
        same = self.queries is self.gallery
        return queries, queries if same else all_unit_rows(self.gallery)

    def processed(
        self,
        steps: Sequence[PostProcessing],
        train: Features | None,
        train_labels: Labels | None = None,
    ) -> "QueryGallery":
        """Applies post-processing.

        Args:
            steps: Applied in order.
            train: Features [T, D] that whitening is trained on.
            train_labels: Integers [T].

        Raises:
            InputError: If the training features cannot be used, or a step lacks what it needs.
        """
        if not steps:
            return self
        embedded = self._embedded(train, train_labels)
        twins = find_twins(steps, embedded)
        result = apply_post_processing(steps, embedded, twins)
        if not isinstance(result, Embedded):
            similarity = equal_for_twins(result, twins, self.layout.leave_one_out)
            return replace(self, similarity=similarity)
        processed = embed(result.queries, "processed queries")
        same = result.queries is result.gallery
        searched = processed if same else embed(result.gallery, "processed gallery")
        return replace(self, queries=processed, gallery=searched)

    def _embedded(self, train: Features | None, train_labels: Labels | None) -> Embedded:
        queries, gallery = self.unit_rows()
        if train is None:
            raw = RawRows(*self.features, None)
            return Embedded(queries, gallery, self.layout.leave_one_out, raw=raw)
        rows = as_features(train, "train features").to(queries.device)
        unit = all_unit_rows(embed(rows, "train features")).to(queries.dtype)
        labels = None
        if train_labels is not None:
            given = as_labels(train_labels, len(rows), "train labels")
            labels = torch.from_numpy(given).to(queries.device)
        raw = RawRows(*self.features, rows)
        return Embedded(queries, gallery, self.layout.leave_one_out, unit, labels, raw)


def _checked(
    labelled: LabelledFeatures, device: torch.device, name: str, label_name: str
) -> tuple[Tensor, Embeddings, Tensor]:
    features = as_features(labelled[0], name).to(device)
    labels = torch.from_numpy(as_labels(labelled[1], len(features), label_name))
    return features, embed(features, name), labels.to(device)
