"""Queries, the gallery they are searched in, and distractors, as embeddings of one model."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from lowlabel.benchmarks.plan import division_for
from lowlabel.benchmarks.subject import (
    dataset_info,
    extract_part,
    model_info,
    number_alike,
    train_table,
)
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
        query: The queries' embeddings; their classes are numbered as the gallery's.
        gallery: Those of the images that they are searched in.
        ground_truth: Which of them each query is to find; None where its class tells.
        distractors: Where the store has those of the distractors; None without any.
        keys: Feature keys of all, by part.
        contamination: Why scores may be too good.
        train: Embeddings of other images, which whitening learns from.
    """

    model: ModelInfo
    dataset: DatasetInfo
    query: EmbeddingTable
    gallery: EmbeddingTable
    ground_truth: GroundTruth | None
    distractors: FeatureKey | None
    keys: dict[str, str]
    contamination: tuple[str, ...] = ()
    train: EmbeddingTable | None = None

    def learning_from(self, path: Path) -> "SearchSubject":
        """The subject with the embeddings of a file to learn from; see `train_table`."""
        train = train_table(path, self.model, self.query)
        return dataclasses.replace(self, train=train, keys=self.keys | {"train": train.key})


def open_distractors(
    protocol: SearchProtocol, allow_partial: bool, progress: Progress | None = None
) -> OpenDataset | None:
    """The data set that a protocol takes its distractors from, if it has any."""
    if protocol.distractors is None:
        return None
    return open_dataset(
        protocol.distractors,
        division_for(protocol.distractors, "retrieval"),
        allow_partial=allow_partial,
        progress=progress,
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
    gallery_part, query_part = opened.division.gallery, opened.division.evaluated
    assert gallery_part is not None
    ground_truth = opened.ground_truth()
    strict = options if ground_truth is None else _without_gaps(options)
    parts = query_part, gallery_part
    tables = {part: extract_part(backbone, opened, part, strict) for part in parts}
    keys = {part: table.key for part, table in tables.items()}
    tables = number_alike(tables, opened, parts)
    stored = _store(backbone, distractors, options) if distractors else None
    if stored:
        keys["distractors"] = stored.digest
    return SearchSubject(
        model=model_info(backbone, label),
        dataset=dataset_info(opened, parts, tables[query_part]),
        query=tables[query_part],
        gallery=tables[gallery_part],
        ground_truth=ground_truth,
        distractors=stored,
        keys=keys,
    )


def _without_gaps(options: ExtractionOptions) -> ExtractionOptions:
    return dataclasses.replace(options, skip_bad_images=False)


def _store(backbone: Backbone, opened: OpenDataset, options: ExtractionOptions) -> FeatureKey:
    images = opened.load(opened.division.evaluated)
    with progress_bar(f"{backbone.name} on {images.dataset} {images.part}", "img") as progress:
        return store_features(backbone, images, options, progress)
