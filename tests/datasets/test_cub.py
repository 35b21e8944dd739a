"""CUB-200-2011 on a small tree in the published layout, and its lists."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from lowlabel.datasets import (
    DATASETS,
    open_dataset,
    prepare,
    prepared_folder,
)
from lowlabel.datasets.counts import load_part
from lowlabel.datasets.splits import split_list
from lowlabel.errors import DataError


@pytest.fixture
def cub_tree(tmp_path: Path, write_image) -> Path:
    """CUB's layout with two images in each of its 200 classes."""
    root = tmp_path / "CUB_200_2011"
    classes = [f"{number:03d}.Bird_{number}" for number in range(1, 201)]
    images = [f"{name}/{name[4:]}_{k}.jpg" for name in classes for k in (1, 2)]
    for image in images:
        write_image(root / "images" / image)
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
        ("frn", "base", [2, 4, 6]),
        ("frn", "val", [1, 5, 9]),
        ("frn", "novel", [3, 7, 11]),
        ("dml-zeroshot", "train", [1, 2, 3]),
        ("dml-zeroshot", "test", [101, 102, 103]),
    ],
)
def test_cub_divisions_hold_the_published_classes(cub_tree, division, part, first):
    cub = DATASETS["cub"]
    images = load_part(cub, cub.division(division), cub_tree, part)
    expected = cub.division(division).expected[part]
    assert len(images.class_names) == expected.classes
    assert [int(name[:3]) for name in images.class_names[:3]] == first
    assert len(images) == 2 * expected.classes
    for path, label in zip(images.paths, images.labels, strict=True):
        assert path.startswith(f"images/{images.class_names[label]}/")


def test_every_novel_class_of_closerlook_is_a_base_class_of_frn(cub_tree):
    cub = DATASETS["cub"]

    def classes(division, part):
        return set(load_part(cub, cub.division(division), cub_tree, part).class_names)

    assert classes("closerlook", "novel") < classes("frn", "base")
    assert classes("closerlook", "base") == classes("frn", "val") | classes("frn", "novel")


def test_cub_divisions_cover_every_class_once(cub_tree):
    cub = DATASETS["cub"]
    for division in cub.divisions:
        assert sum(counts.images for counts in division.expected.values()) == 11_788
        parts = [load_part(cub, division, cub_tree, part).class_names for part in division.parts]
        names = parts[0] if division.shared_classes else [name for part in parts for name in part]
        assert sorted(names) == sorted(path.name for path in (cub_tree / "images").iterdir())


def test_cub_classification_split_shares_all_classes(cub_tree):
    cub = DATASETS["cub"]
    division = cub.division("classification-split")
    train, test = (load_part(cub, division, cub_tree, part) for part in division.parts)
    assert division.shared_classes
    assert train.class_names == test.class_names
    assert train.counts == test.counts == (200, 200)
    assert not set(train.paths) & set(test.paths)
    assert train.paths[0].endswith("_1.jpg")


def test_cub_boxes_are_read_and_damaged_ones_refused(cub_tree):
    cub = DATASETS["cub"]
    whole = load_part(cub, cub.division("dml-zeroshot"), cub_tree, "test")
    boxed = load_part(cub, cub.division("dml-zeroshot-box"), cub_tree, "test")
    assert whole.paths == boxed.paths
    assert whole.boxes is None
    assert boxed.boxes[:3] == ((2, 1, 6, 2), (0, 1, 4, 3), (1, 1, 5, 4))  # images 201 to 203
    assert whole.manifest_sha256 != boxed.manifest_sha256
    lines = (cub_tree / "bounding_boxes.txt").read_text().splitlines()
    (cub_tree / "bounding_boxes.txt").write_text("\n".join(lines[:-7]))
    with pytest.raises(DataError, match=r"bounding_boxes\.txt lacks 7 of the 400 images"):
        load_part(cub, cub.division("dml-zeroshot-box"), cub_tree, "test")
    (cub_tree / "bounding_boxes.txt").write_text("\n".join([*lines[:-1], "400 1.0 2.0 3.0"]))
    with pytest.raises(DataError, match=r"gives image 400 the box '1\.0 2\.0 3\.0'"):
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


def test_cub_prepare_stops_at_other_counts_unless_allowed(cub_tree, tmp_path, zipped):
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
    with pytest.raises(DataError, match="do not list the same images"):
        load_part(cub, cub.divisions[0], cub_tree, "base")
    labels.write_text("1\n")
    with pytest.raises(DataError, match="not a list of CUB-200-2011"):
        load_part(cub, cub.divisions[0], cub_tree, "base")


def test_cub_counts_follow_from_the_published_class_sizes(lists):
    sizes: Counter[int] = Counter()
    for name in ("train", "val", "test"):
        with (lists / "cub" / f"feat_{name}.csv").open() as file:
            sizes.update(int(row["label"][:3]) for row in csv.DictReader(file))
    frn = DATASETS["cub"].division("frn").expected
    for part, rest in (("base", (0, 2)), ("val", (1,)), ("novel", (3,))):
        of_part = [size for number, size in sizes.items() if number % 4 in rest]
        assert frn[part] == (sum(of_part), len(of_part))
    for division in ("feat", "easyfsl"):
        for part, expected in DATASETS["cub"].division(division).expected.items():
            rows = split_list(f"cub_{division}")
            classes = [int(row["class_id"]) for row in rows if row["part"] == part]
            assert expected == (sum(sizes[number] for number in classes), len(classes))
