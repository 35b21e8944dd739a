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


def test_novel_images_are_divided_within_each_class(cifar_tree, write_image):
    for name in ("dog", "elm"):
        for k in range(60):
            write_image(cifar_tree / "data" / name / f"more_{k}.png")
    cifar = DATASETS["cifar-fs"]
    division = cifar.division("novel-images")
    train, test = (load_part(cifar, division, cifar_tree, part) for part in division.parts)
    whole = load_part(cifar, cifar.divisions[0], cifar_tree, "novel")
    assert set(train.paths).isdisjoint(test.paths)
    assert {*train.paths, *test.paths} == {*whole.paths}
    assert train.class_names == test.class_names == ("dog", "elm")
    assert [(test.labels == label).sum() for label in (0, 1)] == [10, 10]  # of 63 each
    assert division.shared_classes
    numbers = (
        {Path(path).stem for path in test.paths if f"/{name}/" in path} for name in test.class_names
    )
    first, second = numbers
    assert first != second  # each class has a draw of its own


def test_the_draw_of_novel_images_does_not_depend_on_the_place(cifar_tree, tmp_path):
    """Another root, and other images in another class, leave a class as it is."""
    cifar = DATASETS["cifar-fs"]
    division = cifar.division("novel-images")
    before = load_part(cifar, division, cifar_tree, "test").paths
    moved = cifar_tree.rename(tmp_path / "elsewhere")
    (moved / "data" / "elm" / "test_0.png").unlink()
    after = load_part(cifar, division, moved, "test").paths
    assert [path for path in before if "dog" in path] == [path for path in after if "dog" in path]


def test_the_title_of_novel_images_says_what_they_are(cifar_tree):
    prepare(DATASETS["cifar-fs"], cifar_tree, allow_partial=True)
    title = open_dataset("cifar-fs:novel-images", allow_partial=True).title
    assert title == "CIFAR-FS, 500 train and 100 test images of each novel class"
    assert open_dataset("cifar-fs", allow_partial=True).title == "CIFAR-FS"


@pytest.mark.slow
def test_real_novel_images(real_data):
    prepare(DATASETS["cifar-fs"], real_data / "cifar100.zip", allow_partial=True)
    opened = open_dataset("cifar-fs:novel-images")  # its parts are complete
    train, test = opened.load("train"), opened.load("test")
    assert (train.counts, test.counts) == ((10_000, 20), (2_000, 20))
    assert not set(train.paths) & set(test.paths)
    assert test.class_names == open_dataset("cifar-fs").load("novel").class_names
    assert [(test.labels == label).sum() for label in range(20)] == [100] * 20
    assert [Path(path).name for path in test.paths[:2]] == [
        "test_baby_s_000030.png",
        "test_baby_s_000042.png",
    ]
