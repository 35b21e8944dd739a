"""What is scored: embeddings of a data set, with everything a record says of their origin."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from lowlabel.datasets import ImageSet, OpenDataset, classes_seen
from lowlabel.errors import InputError
from lowlabel.features import (
    Backbone,
    EmbeddingTable,
    ExtractionOptions,
    FeatureFile,
    extract_shown,
    load_feature_file,
)
from lowlabel.results import Counts, DatasetInfo, ModelInfo, Partial

VALIDATION = "val"


@dataclass(frozen=True)
class Subject:
    """Embeddings to score.

    Attributes:
        model: The embedder.
        dataset: The images.
        evaluated: The embeddings that scores are taken on.
        base: Those of base or train classes, for methods that learn from them.
        keys: Feature keys of all of them, by part.
        gallery: Those that the evaluated ones are searched in; None where each is searched among
            the others.
        contamination: Why scores may be too good.
        validation: Embeddings to choose hyper-parameters on.
    """

    model: ModelInfo
    dataset: DatasetInfo
    evaluated: EmbeddingTable
    base: EmbeddingTable | None
    keys: dict[str, str]
    gallery: EmbeddingTable | None = None
    contamination: tuple[str, ...] = ()
    validation: EmbeddingTable | None = None


def embed_dataset(
    backbone: Backbone,
    opened: OpenDataset,
    options: ExtractionOptions,
    *,
    label: str | None = None,
    with_base: bool = False,
    with_validation: bool = False,
) -> Subject:
    """Extracts what is missing of a data set's evaluated part (and gallery), and of its base part.

    Args:
        backbone: The model.
        opened: The data set.
        options: How to extract.
        label: The model's name in tables; its own by default.
        with_base: Whether a method learns from base or train classes.
        with_validation: Whether hyper-parameters are chosen, for which the validation part is
            extracted too, where there is one.
    """
    learnt = opened.division.train_part if with_base else None
    gallery = opened.division.gallery
    validation = VALIDATION if with_validation and VALIDATION in opened.division.parts else None
    parts = [part for part in (learnt, validation, gallery, opened.division.evaluated) if part]
    tables = {part: extract_part(backbone, opened, part, options) for part in parts}
    images = opened.load(opened.division.evaluated)
    if gallery:
        tables |= number_alike(tables, opened, (gallery, images.part))
    evaluated = tables[images.part]
    return Subject(
        model=model_info(backbone, label),
        dataset=dataset_info(opened, parts, evaluated),
        evaluated=evaluated,
        base=tables.get(learnt) if learnt else None,
        keys={part: table.key for part, table in tables.items()},
        gallery=tables.get(gallery) if gallery else None,
        contamination=(*_shared_classes(opened, learnt), *_seen_classes(backbone, images)),
        validation=tables[validation] if validation else None,
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
    return Subject(model, dataset, table, file.base, keys, file.gallery)


def with_train_features(subject: Subject, path: Path) -> Subject:
    """Takes the embeddings of a file as those to learn from.

    Raises:
        InputError: If the file tells that another model made them, or its width is another.
    """
    table = train_table(path, subject.model, subject.evaluated)
    learnt = {key: value for key, value in subject.keys.items() if key not in ("base", "train")}
    return replace(subject, base=table, keys=learnt | {"train": table.key})


def train_table(path: Path, model: ModelInfo, evaluated: EmbeddingTable) -> EmbeddingTable:
    """The embeddings of a file, to learn from for those of a model.

    Raises:
        InputError: If the file tells that another model made them, or its width is another.
    """
    file = load_feature_file(path)
    _check_origin(file, model)
    table = file.evaluated
    ours, theirs = evaluated.features.shape[1], table.features.shape[1]
    if ours != theirs:
        raise InputError(
            f"{path} has {theirs} dimensions, the embeddings to score have {ours}",
            "Extract both with one model and pooling.",
        )
    return table


def _check_origin(file: FeatureFile, model: ModelInfo) -> None:
    """A file of the store says what made it; others are taken as they are."""
    made = {
        "model": model.spec,
        "weights_sha256": model.weights_sha256,
        "pooling": model.pooling,
        "transform": model.transform,
    }
    differing = [
        name for name, value in made.items() if file.origin and file.origin.get(name) != value
    ]
    if differing:
        raise InputError(
            f"{file.path} was made with another {' and '.join(differing)} than the embeddings to "
            "score",
            "Extract both with one model: lowlabel extract --model …",
        )


def dataset_info(
    opened: OpenDataset, parts: Sequence[str], evaluated: EmbeddingTable
) -> DatasetInfo:
    """What a record says of a data set of which so many `parts` were used."""
    images = opened.load(opened.division.evaluated)
    partials = [partial for part in parts if (partial := opened.partial(part))]
    return DatasetInfo(
        name=opened.dataset.name,
        title=opened.title,
        split=images.part,
        scheme=opened.division.name,
        manifest_sha256=_manifest(opened),
        images=len(evaluated.labels),
        classes=len(np.unique(evaluated.labels)),
        partial=tuple(Partial(p.part, Counts(*p.found), Counts(*p.expected)) for p in partials),
        bad_images=len(evaluated.bad_images),
    )


def extract_part(
    backbone: Backbone, opened: OpenDataset, part: str, options: ExtractionOptions
) -> EmbeddingTable:
    """A part's embeddings, extracted where they are missing."""
    return extract_shown(backbone, opened.load(part), options)


def number_alike(
    tables: Mapping[str, EmbeddingTable], opened: OpenDataset, parts: Sequence[str]
) -> dict[str, EmbeddingTable]:
    """The tables of some parts with the same numbers for the same classes."""
    names = {part: opened.load(part).class_names for part in parts}
    union = np.array(sorted({name for own in names.values() for name in own}))
    return {
        part: replace(
            tables[part], labels=np.searchsorted(union, np.array(own))[tables[part].labels]
        )
        for part, own in names.items()
    }


def _manifest(opened: OpenDataset) -> str:
    """Hash of the images that are scored: those evaluated, and their gallery's if they have one."""
    own = opened.load(opened.division.evaluated).manifest_sha256
    if opened.division.gallery is None:
        return own
    searched = opened.load(opened.division.gallery).manifest_sha256
    return hashlib.sha256(f"{own}\n{searched}".encode()).hexdigest()


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
    evaluated = opened.load(opened.division.evaluated)
    shared = set(evaluated.class_names) & set(opened.load(learnt).class_names)
    if not shared:
        return ()
    return (f"{len(shared)} of the {evaluated.part} classes are also in {learnt}",)


def _seen_classes(backbone: Backbone, images: ImageSet) -> tuple[str, ...]:
    seen = classes_seen(images, backbone.pretrained_on) if backbone.pretrained_on else None
    return (f"{backbone.name} was {seen}",) if seen else ()
