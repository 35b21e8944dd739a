from pathlib import Path

import numpy as np
import pytest

from lowlabel.analysis.base_class_survey import survey
from lowlabel.datasets import ImageSet, LabelledPath
from lowlabel.errors import InputError
from lowlabel.features import EmbeddedDataset, EmbeddingTable
from lowlabel.features.embedded import Embedder

# Names of all classes; base classes are a, c, e and novel classes b, d.
NAMES = tuple("abcde")


def images(part, names):
    listing = [LabelledPath(f"{name}{n}.png", name) for name in names for n in range(3)]
    return ImageSet.from_listing("toy", part, Path(part), listing)


def dataset(model, angles, bad_images=()):
    """Embeddings in the plane: three images of each class, one degree apart."""
    tables, sets = {}, {"base": images("base", "ace"), "novel": images("novel", "bd")}
    for part, listing in sets.items():
        rows = [row for row, path in enumerate(listing.paths) if path not in bad_images]
        names = [listing.class_names[listing.labels[row]] for row in rows]
        degrees = np.array([angles[name] + row % 3 for name, row in zip(names, rows, strict=True)])
        features = np.stack([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))], axis=1)
        labels = np.array([NAMES.index(name) for name in names])
        tables[part] = EmbeddingTable(features.astype(np.float32), labels, "", tuple(bad_images))
    return EmbeddedDataset(
        Embedder(model, model, ""), "toy", "Toy", "toy", "novel", "", tables,
        train_part="base", images=sets, class_names=NAMES,
    )  # fmt: skip


NEAR = {"a": 0, "b": 4, "c": 20, "d": 110, "e": 120}


def test_each_model_chooses_the_nearest_base_classes():
    far = NEAR | {"b": 130}
    found = survey([dataset("first", NEAR), dataset("second", far)], "dc-sslvit,k=1", "cpu")
    first, second = found.models
    assert (first.model, second.model) == ("first", "second")
    assert first.novel == ("b", "d")
    assert first.base == ("a", "c", "e")
    assert [first.most(novel, 1) for novel in range(2)] == [[0], [2]]
    assert [second.most(novel, 1) for novel in range(2)] == [[2], [2]]


def test_examples_are_the_middle_images_of_each_class():
    found = survey([dataset("first", NEAR)], "dc-sslvit,k=1", "cpu")
    assert found.examples == {
        name: str(Path("novel" if name in "bd" else "base") / f"{name}1.png") for name in NAMES
    }


def test_images_without_embeddings_are_no_examples():
    data = dataset("first", NEAR, bad_images=("a0.png", "b1.png"))
    examples = survey([data], "dc-sslvit,k=1", "cpu").examples
    assert Path(examples["a"]).name in {"a1.png", "a2.png"}
    assert Path(examples["b"]).name in {"b0.png", "b2.png"}
    assert Path(examples["d"]).name == "d1.png"


def test_classes_are_spread_evenly():
    found = survey([dataset("first", NEAR)], "dc-sslvit,k=1", "cpu")
    assert found.spread(1) == [0]
    assert found.spread(9) == [0, 1]


def test_a_dataset_without_base_classes_is_refused():
    data = dataset("first", NEAR)
    only_novel = EmbeddedDataset(
        data.embedder, "toy", "Toy", "toy", "novel", "", {"novel": data.tables["novel"]}
    )
    with pytest.raises(InputError, match="toy has no base classes"):
        survey([only_novel], "dc-sslvit", "cpu")
