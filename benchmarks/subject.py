"""What is scored: embeddings of a data set, with everything a record says of their origin."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lowlabel.datasets import OpenDataset
from lowlabel.features import (
    Backbone,
    EmbeddingTable,
    ExtractionOptions,
    extract_features,
    load_feature_file,
)
from lowlabel.progress import progress_bar
from lowlabel.results import Counts, DatasetInfo, ModelInfo, Partial


@dataclass(frozen=True)
class Subject:
    """Embeddings to score.

    Attributes:
        model: The embedder.
        dataset: The images.
        evaluated: The embeddings that scores are taken on.
        base: Those of base classes, for methods that learn from them.
        keys: Feature keys of both, by part.
        contamination: Why scores may be too good.
    """

    model: ModelInfo
    dataset: DatasetInfo
    evaluated: EmbeddingTable
    base: EmbeddingTable | None
    keys: dict[str, str]
    contamination: tuple[str, ...] = ()


def embed_dataset(
    backbone: Backbone,
    opened: OpenDataset,
    options: ExtractionOptions,
    *,
    label: str | None = None,
    with_base: bool = False,
) -> Subject:
    """Extracts what is missing of a data set's evaluated part, and of its base part if asked.

    Args:
        backbone: The model.
        opened: The data set.
        options: How to extract.
        label: The model's name in tables; its own by default.
        with_base: Whether a method learns from base classes.
    """
    learnt = opened.scheme.learnt if with_base else None
    parts = [part for part in (learnt, opened.scheme.evaluated) if part]
    tables = {part: extract_part(backbone, opened, part, options) for part in parts}
    evaluated = tables[opened.scheme.evaluated]
    return Subject(
        model=model_info(backbone, label),
        dataset=dataset_info(opened, parts, evaluated),
        evaluated=evaluated,
        base=tables.get(learnt) if learnt else None,
        keys={part: table.key for part, table in tables.items()},
        contamination=_shared_classes(opened, learnt),
    )


def subject_from_file(path: Path, label: str | None = None) -> Subject:
    """Takes embeddings that were made elsewhere as they are."""
    file = load_feature_file(path)
    table = file.evaluated
    model = ModelInfo(label or path.stem, f"features:{path.name}", table.key, "", None, "")
    dataset = DatasetInfo(
        name="features",
        title=path.name,
        split="all",
        scheme="file",
        manifest_sha256=table.key,
        images=len(table.labels),
        classes=len(np.unique(table.labels)),
    )
    keys = {"all": table.key} | ({"base": file.base.key} if file.base else {})
    return Subject(model, dataset, table, file.base, keys)


def dataset_info(
    opened: OpenDataset, parts: Sequence[str], evaluated: EmbeddingTable
) -> DatasetInfo:
    """What a record says of a data set of which so many `parts` were used."""
    images = opened.load(opened.scheme.evaluated)
    partials = [partial for part in parts if (partial := opened.partial(part))]
    return DatasetInfo(
        name=opened.dataset.name,
        title=opened.title,
        split=images.part,
        scheme=opened.scheme.name,
        manifest_sha256=images.manifest_sha256,
        images=len(evaluated.labels),
        classes=len(np.unique(evaluated.labels)),
        partial=tuple(Partial(p.part, Counts(*p.found), Counts(*p.expected)) for p in partials),
        bad_images=len(evaluated.bad_images),
    )


def extract_part(
    backbone: Backbone, opened: OpenDataset, part: str, options: ExtractionOptions
) -> EmbeddingTable:
    """A part's embeddings, extracted where they are missing."""
    images = opened.load(part)
    with progress_bar(f"{backbone.name} on {images.dataset} {part}", "img") as progress:
        return extract_features(backbone, images, options, progress)


def model_info(backbone: Backbone, label: str | None) -> ModelInfo:
    """What a record says of a model."""
    return ModelInfo(
        name=label or backbone.name,
        spec=backbone.spec,
        weights_sha256=backbone.weights_sha256,
        pooling=backbone.pooling,
        resolution=backbone.transform.side,
        dtype=backbone.dtype,
        transform=asdict(backbone.transform),
    )


def _shared_classes(opened: OpenDataset, learnt: str | None) -> tuple[str, ...]:
    if learnt is None:
        return ()
    evaluated = opened.load(opened.scheme.evaluated)
    shared = set(evaluated.class_names) & set(opened.load(learnt).class_names)
    if not shared:
        return ()
    return (f"{len(shared)} of the {evaluated.part} classes are also in {learnt}",)
