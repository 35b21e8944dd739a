"""Each data set's loader on a small tree in the true layout."""

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowlabel.datasets import DATASETS, find_dataset, open_dataset, prepare, prepared_folder
from lowlabel.datasets.counts import load_part
from lowlabel.errors import DataError, UnknownNameError


def write_image(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(path)


@pytest.fixture
def cub_tree(tmp_path: Path) -> Path:
    """CUB's layout with two images in each of its 200 classes."""
    root = tmp_path / "CUB_200_2011"
    classes = [f"{number:03d}.Bird_{number}" for number in range(1, 201)]
    images = [f"{name}/{name[4:]}_{k}.jpg" for name in classes for k in (1, 2)]
    for image in images:
        write_image(root / "images" / image, int(image[:3]))
    numbered = {
        "classes.txt": classes,
        "images.txt": images,
        "image_class_labels.txt": [int(image[:3]) for image in images],
        "train_test_split.txt": [int(image[-5]) % 2 for image in images],
        "bounding_boxes.txt": [f"{k % 3}.0 1.0 4.0 {k % 5 + 1}.0" for k in range(len(images))],
    }
    for name, values in numbered.items():
        lines = [f"{number} {value}" for number, value in enumerate(values, start=1)]
        (root / name).write_text("\n".join(lines) + "\n")
    return root


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(folder.rglob("*")):
            opened.write(path, path.relative_to(folder.parent))
    return archive


@pytest.mark.parametrize(
    ("division", "part", "first"),
    [
        ("closerlook", "base", [1, 3, 5]),
        ("closerlook", "val", [2, 6, 10]),
        ("closerlook", "novel", [4, 8, 12]),
        ("feat", "base", [3, 5, 6]),
        ("feat", "val", [1, 2, 4]),
        ("feat", "novel", [10, 18, 22]),
        ("easyfsl", "base", [1, 2, 3]),
        ("easyfsl", "val", [44, 51, 52]),
        ("easyfsl", "novel", [8, 9, 15]),
        ("dml-zeroshot", "train", [1, 2, 3]),
        ("dml-zeroshot", "test", [101, 102, 103]),
    ],
)
def test_cub_divisions(cub_tree, division, part, first):
    cub = DATASETS["cub"]
    images = load_part(cub, cub.division(division), cub_tree, part)
    expected = cub.division(division).expected[part]
    assert len(images.class_names) == expected.classes
    assert [int(name[:3]) for name in images.class_names[:3]] == first
    assert len(images) == 2 * expected.classes
    for path, label in zip(images.paths, images.labels, strict=True):
        assert path.startswith(f"images/{images.class_names[label]}/")


def test_cub_divisions_cover_every_class_once(cub_tree):
    cub = DATASETS["cub"]
    for division in cub.divisions:
        assert sum(counts.images for counts in division.expected.values()) == 11_788
        if division.name == "classification-split":
            continue
        parts = [load_part(cub, division, cub_tree, part).class_names for part in division.parts]
        assert sorted(name for part in parts for name in part) == sorted(
            path.name for path in (cub_tree / "images").iterdir()
        )


def test_cub_classification_split_has_all_classes_twice(cub_tree):
    cub = DATASETS["cub"]
    division = cub.division("classification-split")
    train, test = (load_part(cub, division, cub_tree, part) for part in division.parts)
    assert train.counts == test.counts == (200, 200)
    assert not set(train.paths) & set(test.paths)
    assert train.paths[0].endswith("_1.jpg")


def test_cub_boxes(cub_tree):
    cub = DATASETS["cub"]
    whole = load_part(cub, cub.division("dml-zeroshot"), cub_tree, "test")
    boxed = load_part(cub, cub.division("dml-zeroshot-box"), cub_tree, "test")
    assert whole.paths == boxed.paths
    assert whole.boxes is None
    assert boxed.boxes[:3] == ((2, 1, 6, 2), (0, 1, 4, 3), (1, 1, 5, 4))  # images 201 to 203
    assert whole.manifest_sha256 != boxed.manifest_sha256
    lines = (cub_tree / "bounding_boxes.txt").read_text().splitlines()
    (cub_tree / "bounding_boxes.txt").write_text("\n".join(lines[:-7]))
    with pytest.raises(DataError, match=r"bounding_boxes\.txt lacks 7 of the images"):
        load_part(cub, cub.division("dml-zeroshot-box"), cub_tree, "test")
    (cub_tree / "bounding_boxes.txt").write_text("\n".join([*lines[:-1], "400 1.0 2.0 3.0"]))
    with pytest.raises(DataError, match=r"no box in '1\.0 2\.0 3\.0'"):
        load_part(cub, cub.division("dml-zeroshot-box"), cub_tree, "test")


def test_cub_feat_lists_are_the_published_ones(cub_tree, real_data):
    lists = real_data.parent / "lists" / "cub"
    cub = DATASETS["cub"]
    for part, name in (("base", "train"), ("val", "val"), ("novel", "test")):
        with (lists / f"feat_{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        published = {int(row["label"][:3]) for row in rows}
        ours = load_part(cub, cub.division("feat"), cub_tree, part).class_names
        assert {int(name[:3]) for name in ours} == published
        assert cub.division("feat").expected[part] == (len(rows), len(published))


def test_cub_prepare_stops_at_other_counts_unless_allowed(cub_tree, tmp_path):
    archive = zipped(cub_tree, tmp_path / "CUB_200_2011.zip")
    with pytest.raises(DataError, match="found 200 images of 100 classes, the full set has 5,885"):
        prepare(DATASETS["cub"], archive)
    assert not prepared_folder(DATASETS["cub"]).exists()

    prepare(DATASETS["cub"], archive, allow_partial=True, title="Tiny CUB")
    with pytest.raises(DataError, match="--allow-partial"):
        open_dataset("cub:dml-zeroshot").load("test")
    opened = open_dataset("cub:dml-zeroshot", allow_partial=True)
    assert (opened.title, opened.name) == ("Tiny CUB", "cub:dml-zeroshot")
    assert str(opened.partial("test")) == (
        "test: found 200 images of 100 classes, the full set has 5,924 images of 100 classes"
    )
    assert open_dataset("cub:feat", allow_partial=True).name == "cub:feat"


def test_cub_refuses_lists_that_disagree(cub_tree):
    labels = cub_tree / "image_class_labels.txt"
    labels.write_text("\n".join(labels.read_text().splitlines()[:-1]))
    cub = DATASETS["cub"]
    with pytest.raises(DataError, match="not the same ones"):
        load_part(cub, cub.divisions[0], cub_tree, "base")
    labels.write_text("1\n")
    with pytest.raises(DataError, match="not a list of CUB-200-2011"):
        load_part(cub, cub.divisions[0], cub_tree, "base")


def test_prepare_refuses_another_layout(tmp_path):
    write_image(tmp_path / "birds" / "a" / "1.png")
    archive = zipped(tmp_path / "birds", tmp_path / "birds.zip")
    with pytest.raises(DataError, match=r"does not hold CUB-200-2011: no images\.txt"):
        prepare(DATASETS["cub"], archive)


@pytest.fixture
def cifar_tree(tmp_path: Path) -> Path:
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


def test_cifar_fs_layout(cifar_tree, tmp_path):
    prepare(DATASETS["cifar-fs"], zipped(cifar_tree, tmp_path / "c.zip"), allow_partial=True)
    opened = open_dataset("cifar-fs", allow_partial=True)
    assert opened.load("base").class_names == ("apple", "bee")
    assert opened.load("novel").class_names == ("dog", "elm")
    assert opened.load("novel").counts == (6, 2)
    assert opened.division.expected["novel"] == (12_000, 20)


def test_cifar_fs_names_classes_without_images(cifar_tree):
    (cifar_tree / "splits" / "bertinetto" / "val.txt").write_text("can\ncat\n")
    cifar = DATASETS["cifar-fs"]
    with pytest.raises(DataError, match=r"1 classes .* have no images .*cat"):
        load_part(cifar, cifar.divisions[0], cifar_tree, "val")


def test_folder_with_parts(image_folder):
    opened = open_dataset(f"folder:{image_folder}")
    assert opened.division.parts == ("base", "val", "novel")
    assert opened.load("novel").counts == (18, 3)
    assert opened.load("novel").class_names == ("novel0", "novel1", "novel2")
    assert opened.load("novel").paths[0] == "novel/novel0/0.png"


def test_folder_without_parts_is_evaluated_whole(image_folder):
    opened = open_dataset(f"folder:{image_folder / 'base'}")
    assert (opened.division.evaluated, opened.division.train_part) == ("all", None)
    assert opened.load("all").counts == (18, 3)


def test_folder_errors(tmp_path):
    with pytest.raises(DataError, match="there is no folder"):
        open_dataset(f"folder:{tmp_path / 'nowhere'}")
    (tmp_path / "empty" / "class").mkdir(parents=True)
    with pytest.raises(DataError, match="no images in the class folders"):
        open_dataset(f"folder:{tmp_path / 'empty'}").load("all")


def test_unknown_names_get_suggestions():
    with pytest.raises(UnknownNameError, match="Did you mean cifar-fs"):
        find_dataset("cifarfs")
    with pytest.raises(UnknownNameError, match="Did you mean closerlook"):
        find_dataset("cub:closer")


def test_unprepared_data_set_says_how_to_get_it():
    with pytest.raises(DataError, match="lowlabel prepare cub --archive FILE"):
        open_dataset("cub")


def test_manifest_follows_names_classes_and_sizes(image_folder):
    def manifest() -> str:
        return open_dataset(f"folder:{image_folder}").load("novel").manifest_sha256

    before = manifest()
    assert manifest() == before
    image = image_folder / "novel" / "novel0" / "0.png"
    content = image.read_bytes()
    image.write_bytes(content + b"\0")
    assert manifest() != before
    image.write_bytes(content)
    assert manifest() == before
    image.rename(image.with_name("00.png"))
    assert manifest() != before


def test_real_archives(real_data):
    prepare(DATASETS["cub"], real_data / "CUB_200_2011.zip", allow_partial=True)
    test = open_dataset("cub:dml-zeroshot", allow_partial=True).load("test")
    assert test.counts == (2_474, 42)
    prepare(DATASETS["cifar-fs"], real_data / "cifar100.zip", allow_partial=True)
    cifar = open_dataset("cifar-fs")
    assert cifar.load("novel").counts == (12_000, 20)
    with pytest.raises(DataError, match="found 19,200 images of 64 classes, the full set has 38,4"):
        cifar.load("base")
