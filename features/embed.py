"""From a backbone and a dataset, or from a feature file, to an `EmbeddedDataset`."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets import (
    CONTENT,
    Division,
    ImageSet,
    LabelledPath,
    OpenDataset,
)
from lowlabel.datasets.tables.groups import group_numbers
from lowlabel.features.backbone import Backbone
from lowlabel.features.earlier import Earlier
from lowlabel.features.embedded import FILE, EmbeddedDataset, Embedder, StoredPart
from lowlabel.features.extract import extract_shown, store_shown
from lowlabel.features.extraction.options import ExtractionOptions
from lowlabel.features.extraction.wanted import wanted_sets
from lowlabel.features.made_elsewhere.feature_file import ArrayNames, load_feature_file
from lowlabel.features.models.checkpoints.seen_classes import seen_classes
from lowlabel.features.table import EmbeddingTable
from lowlabel.specs import json_sha256

_FILE_PARTS = ("base", "gallery", "all")


def embed_dataset(
    backbone: Backbone,
    opened: OpenDataset,
    parts: Sequence[str],
    options: ExtractionOptions,
    *,
    stored: Mapping[str, OpenDataset] | None = None,
    view_seeds: Sequence[int] = (),
) -> EmbeddedDataset:
    """Extracts the features of some parts that the store does not have yet.

    A ground truth names the gallery's images by their row, so none of its images may be left out.

    Args:
        backbone: The model.
        opened: The dataset.
        parts: The parts to embed; the evaluated one and the gallery must be among them.
        options: How to extract.
        stored: Other datasets whose evaluated part joins under a name and stays in the store.
        view_seeds: Random seed of each view of the train part to embed beside its centre crops.
    """
    division = opened.division
    images = {part: opened.load(part) for part in parts}
    own, joining = wanted_sets(backbone, opened, images, options, stored or {}, view_seeds)
    tables = {name: extract_shown(*each) for name, each in own.items()}
    joined = {part: StoredPart(store_shown(*each)) for part, each in joining.items()}
    earlier = Earlier.of(
        backbone,
        (*images.values(), *(others for _, others, _ in joining.values())),
        _joint(opened, lambda images: images.manifest.by_size),
    )
    return replace(
        _dataset(Embedder.of(backbone), opened, images, tables),
        earlier=earlier,
        stored=joined,
        seen_classes=seen_classes(
            backbone.name,
            backbone.pretrained_on,
            backbone.tuning,
            opened,
            images[division.evaluated],
        ),
    )


def numbered_dataset(
    embedder: Embedder, opened: OpenDataset, parts: Sequence[str]
) -> EmbeddedDataset:
    """The images of some parts, each with its row in place of an embedding.

    Networks that learn from the images themselves take the rows.

    Args:
        embedder: What is said of the network.
        opened: The dataset.
        parts: The parts; the evaluated one must be among them.
    """
    images = {part: opened.load(part) for part in parts}
    tables = {
        part: EmbeddingTable(
            np.arange(len(each), dtype=np.float32)[:, None],
            np.asarray(each.labels),
            json_sha256({"model": embedder.spec, "images": each.manifest.sha256}),
        )
        for part, each in images.items()
    }
    return _dataset(embedder, opened, images, tables)


def _dataset(
    embedder: Embedder,
    opened: OpenDataset,
    images: Mapping[str, ImageSet],
    tables: Mapping[str, EmbeddingTable],
) -> EmbeddedDataset:
    """The tables of some parts, and of views of the train part, with what the dataset says."""
    division = opened.division
    names = np.array(sorted({name for each in images.values() for name in each.class_names}))
    train, groups = division.train_part or "", group_numbers(images)
    return EmbeddedDataset(
        embedder=embedder,
        name=opened.dataset.name,
        title=opened.title,
        division=division.name,
        evaluated_part=division.evaluated,
        manifest_sha256=_joint(opened, lambda images: images.manifest.sha256),
        manifest=CONTENT,
        tables={
            name: _completed(table, images[part], names, groups.get(part))
            for name, table in tables.items()
            for part in [name if name in images else train]
        },
        gallery_part=division.gallery,
        several_labels=division.kind == "labels",
        train_part=division.train_part,
        images=images,
        class_names=tuple(names.tolist()),
        ground_truth=opened.ground_truth(),
        partial=tuple(partial for part in images if (partial := opened.partial(part))),
        shared_classes=_shared_classes(images[division.evaluated], images.get(train)),
        left_out=opened.left_out(*images),
        path="" if opened.dataset.marker else _as_text(opened.dataset.source),
        min_images=division.min_images,
        small_classes={
            part: {_as_text(name): count for name, count in opened.small_classes(part).items()}
            for part in images
        },
    )


def _as_text(name: str) -> str:
    """A name of a file or folder, which may be no UTF-8, as terminals show it."""
    return name.encode(errors="backslashreplace").decode()


def embedded_file(path: Path, label: str | None = None, key: str | None = None) -> EmbeddedDataset:
    """Takes embeddings that were made elsewhere as they are.

    Args:
        path: The file.
        label: The model's name in tables; the file's by default.
        key: Names of its arrays, `FEATURES` or `FEATURES,LABELS`; see `load_feature_file`.
    """
    file = load_feature_file(path, ArrayNames.parse(key) if key is not None else None)
    tables = {"all": file.evaluated}
    if file.base:
        tables["base"] = file.base
    if file.gallery:
        tables["gallery"] = replace(file.gallery, key="")  # the file's one key covers it
    digest = file.evaluated.key
    spec = f"features:{path.name}" + (f":{key}" if key is not None else "")
    return EmbeddedDataset(
        embedder=Embedder(label or path.stem, spec, digest),
        name="features",
        title=path.name,
        division=FILE,
        evaluated_part="all",
        manifest_sha256=digest,
        tables=tables,
        gallery_part="gallery" if file.gallery else None,
        train_part="base" if file.base else None,
        class_names=file.class_names,
        several_labels=file.several_labels,
    )


def file_division(data: EmbeddedDataset) -> Division:
    """The division of a feature file: the parts that it holds, none of them images."""
    shared = data.train is not None and np.isin(data.evaluated.labels, data.train.labels).all()
    return Division(
        data.division,
        tuple(sorted(data.tables, key=_FILE_PARTS.index)),
        _no_images,
        kind="labels" if data.several_labels else "classes",
        gallery=data.gallery_part,
        shared_classes=bool(shared),
    )


def _no_images(root: Path, part: str) -> list[LabelledPath]:
    return []


def _completed(
    table: EmbeddingTable,
    images: ImageSet,
    names: NDArray[np.str_],
    groups: NDArray[np.int64] | None,
) -> EmbeddingTable:
    """A table with the numbers that classes have in all parts, and with the groups of its rows."""
    places = np.searchsorted(names, np.array(images.class_names))
    if groups is not None and table.bad_images:
        groups = groups[~np.isin(images.paths, table.bad_images)]
    return replace(table, labels=places[table.labels], groups=groups)


def _joint(opened: OpenDataset, manifest: Callable[[ImageSet], str]) -> str:
    """The manifest of the evaluated images, joined with their gallery's if they have one."""
    evaluated = manifest(opened.load(opened.division.evaluated))
    if opened.division.gallery is None:
        return evaluated
    return joined(evaluated, manifest(opened.load(opened.division.gallery)))


def joined(evaluated: str, gallery: str) -> str:
    """The manifest of evaluated images and their gallery, from those of both."""
    return hashlib.sha256(f"{evaluated}\n{gallery}".encode()).hexdigest()


def _shared_classes(evaluated: ImageSet, train: ImageSet | None) -> str:
    if train is None:
        return ""
    shared = set(evaluated.class_names) & set(train.class_names)
    return (
        f"{len(shared)} of the {evaluated.part} classes are also in {train.part}" if shared else ""
    )
