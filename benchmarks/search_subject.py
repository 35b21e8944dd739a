"""Queries, the gallery they are searched in, and distractors, as embeddings of one model."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowlabel.benchmarks.subject import dataset_info, extract_part, model_info
from lowlabel.benchmarks.suite import SearchProtocol
from lowlabel.datasets import GroundTruth, OpenDataset, open_dataset
from lowlabel.features import (
    Backbone,
    EmbeddingTable,
    ExtractionOptions,
    FeatureKey,
    store_features,
)
from lowlabel.progress import Progress, progress_bar
from lowlabel.results import DatasetInfo, ModelInfo


@dataclass(frozen=True)
class SearchSubject:
    """Embeddings to score.

    Attributes:
        model: The embedder.
        dataset: The images; those counted are the queries.
        query: The queries' embeddings.
        gallery: Those of the images that they are searched in.
        ground_truth: Which of them each query is to find; None where its class tells.
        groups: The classes of queries and gallery, numbered alike.
        distractors: Where the store has those of the distractors; None without any.
        keys: Feature keys of all, by part.
        contamination: Why scores may be too good.
    """

    model: ModelInfo
    dataset: DatasetInfo
    query: EmbeddingTable
    gallery: EmbeddingTable
    ground_truth: GroundTruth | None
    groups: tuple[NDArray[np.int64], NDArray[np.int64]]
    distractors: FeatureKey | None
    keys: dict[str, str]
    contamination: tuple[str, ...] = ()


def open_distractors(
    protocol: SearchProtocol, allow_partial: bool, progress: Progress | None = None
) -> OpenDataset | None:
    """The data set that a protocol takes its distractors from, if it has any."""
    if protocol.distractors is None:
        return None
    return open_dataset(
        protocol.distractors, "retrieval", allow_partial=allow_partial, progress=progress
    )


def embed_search(
    backbone: Backbone,
    opened: OpenDataset,
    distractors: OpenDataset | None,
    options: ExtractionOptions,
    *,
    label: str | None = None,
) -> SearchSubject:
    """Extracts what is missing of queries, gallery and distractors.

    A ground truth names the gallery's images by their place, so that none of it may be left out
    where they cannot be decoded; distractors may.
    """
    gallery_part, query_part = opened.scheme.gallery, opened.scheme.evaluated
    assert gallery_part is not None
    ground_truth = opened.ground_truth()
    strict = options if ground_truth is None else _without_gaps(options)
    query, gallery = (
        extract_part(backbone, opened, part, strict) for part in (query_part, gallery_part)
    )
    keys = {query_part: query.key, gallery_part: gallery.key}
    stored = _store(backbone, distractors, options) if distractors else None
    if stored:
        keys["distractors"] = stored.digest
    names = (opened.load(part).class_names for part in (query_part, gallery_part))
    return SearchSubject(
        model=model_info(backbone, label),
        dataset=dataset_info(opened, (query_part, gallery_part), query),
        query=query,
        gallery=gallery,
        ground_truth=ground_truth,
        groups=_common_numbers(query, gallery, *names),
        distractors=stored,
        keys=keys,
    )


def _without_gaps(options: ExtractionOptions) -> ExtractionOptions:
    return dataclasses.replace(options, skip_bad_images=False)


def _store(backbone: Backbone, opened: OpenDataset, options: ExtractionOptions) -> FeatureKey:
    images = opened.load(opened.scheme.evaluated)
    with progress_bar(f"{backbone.name} on {images.dataset} {images.part}", "img") as progress:
        return store_features(backbone, images, options, progress)


def _common_numbers(
    query: EmbeddingTable,
    gallery: EmbeddingTable,
    query_names: tuple[str, ...],
    gallery_names: tuple[str, ...],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    number = {name: place for place, name in enumerate(sorted({*query_names, *gallery_names}))}
    as_numbers = (
        np.array([number[name] for name in names])[table.labels]
        for table, names in ((query, query_names), (gallery, gallery_names))
    )
    first, second = as_numbers
    return first, second
