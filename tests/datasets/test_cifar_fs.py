"""CIFAR-FS on a small tree in the published layout."""

from pathlib import Path

import pytest

from lowlabel.datasets import DATASETS, open_dataset, prepare
from lowlabel.datasets.counts import load_part
from lowlabel.errors import DataError


@pytest.fixture
def cifar_tree(tmp_path: Path, write_image) -> Path:
    root = tmp_path / "cifar100"
    parts = {"train": ["apple", "bee"], "val": ["can"], "test": ["dog", "elm"]}
    for part, classes in parts.items():
        listing = root / "splits" / "bertinetto" / f"{part}.txt"
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_text("\n".join(classes) + "\n")
        for name in classes:
            for k in range(3):
                write_image(root / "data" / name / f"{part}_{k}.png")
    return root


def test_cifar_fs_is_divided_by_its_lists(cifar_tree, tmp_path, zipped):
    prepare(DATASETS["cifar-fs"], zipped(cifar_tree, tmp_path / "c.zip"), allow_partial=True)
    opened = open_dataset("cifar-fs", allow_partial=True)
    assert opened.load("base").class_names == ("apple", "bee")
    assert opened.load("novel").class_names == ("dog", "elm")
    assert opened.load("novel").counts == (6, 2)
    assert opened.division.expected["novel"] == (12_000, 20)


def test_cifar_fs_names_classes_without_images(cifar_tree):
    (cifar_tree / "splits" / "bertinetto" / "val.txt").write_text("can\ncat\n")
    cifar = DATASETS["cifar-fs"]
    with pytest.raises(DataError, match=r"1 of the 2 classes .* have no images .*cat"):
        load_part(cifar, cifar.divisions[0], cifar_tree, "val")
