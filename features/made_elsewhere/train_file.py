"""Embeddings to learn from, of a file of their own."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from lowlabel.errors import InputError
from lowlabel.features.embedded import FILE, EmbeddedDataset, Embedder
from lowlabel.features.made_elsewhere.feature_file import FeatureFile, load_feature_file
from lowlabel.features.made_elsewhere.label_numbers import numbered_texts
from lowlabel.features.table import EmbeddingTable


def with_train_features(data: EmbeddedDataset, path: Path) -> EmbeddedDataset:
    """Takes the embeddings of a file as those to learn from.

    Raises:
        InputError: If the file says that another model made them, its width differs, its labels are
            of another form, or it holds all embeddings to score.
    """
    file = load_feature_file(path)
    _check_origin(file, data.embedder)
    ours, theirs = (t.features.shape[1] for t in (data.evaluated, file.evaluated))
    if ours != theirs:
        raise InputError(
            f"{path} has {theirs} dimensions, the embeddings to score have {ours}",
            "Extract both with one model and pooling.",
        )
    if shared := data.evaluated.shared_with(file.evaluated):
        count = len(data.evaluated.features)
        note = f"{path} holds {shared:,} of the {count:,} embeddings to score"
        if shared == count:
            raise InputError(note, "Give --train-features of other images, as the base classes.")
        warnings.warn(f"{note}: what is learned from them has seen these", stacklevel=2)
    kept = {part: table for part, table in data.tables.items() if part != data.train_part}
    return _numbered_alike(data, kept | {"train": file.evaluated}, file)


def _numbered_alike(
    data: EmbeddedDataset, tables: dict[str, EmbeddingTable], file: FeatureFile
) -> EmbeddedDataset:
    """Numbers the names of both files together, so that equal names are equal labels."""
    names = dict.fromkeys(tables, data.class_names) | {"train": file.class_names}
    given = file.several_labels, bool(file.class_names)
    if data.division == FILE and given != (data.several_labels, bool(data.class_names)):
        raise InputError(
            f"{file.path} has {_form(*given)}, the embeddings to score have "
            f"{_form(data.several_labels, bool(data.class_names))}",
            "Save the labels of both files in one form.",
        )
    if data.division != FILE or not file.class_names:
        return replace(data, tables=tables, train_part="train")
    texts = {part: np.array(names[part])[each.labels].tolist() for part, each in tables.items()}
    numbered = numbered_texts(texts)
    renumbered = {
        part: replace(each, labels=numbered.numbers[part]) for part, each in tables.items()
    }
    return replace(data, tables=renumbered, train_part="train", class_names=numbered.names)


def _form(several: bool, named: bool) -> str:
    if several:
        return "several labels of each row"
    return "texts as labels" if named else "numbers as labels"


def _check_origin(file: FeatureFile, embedder: Embedder) -> None:
    """A file of the store says what made it; others are taken as they are."""
    made = {
        "model": embedder.spec,
        "weights_sha256": embedder.weights_sha256,
        "pooling": embedder.pooling,
        "transform": embedder.transform,
        "positions": embedder.positions,
    }
    differing = [
        name for name, value in made.items() if file.origin and file.origin.get(name, "") != value
    ]
    if differing:
        raise InputError(
            f"{file.path} was made with another {' and '.join(differing)} than the embeddings to "
            "score",
            "Extract both with one model: lowlabel extract --model …",
        )
