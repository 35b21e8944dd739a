"""mini-ImageNet from both published layouts, and its lists."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from lowlabel.datasets import DATASETS, open_dataset, prepare, prepared_folder
from lowlabel.datasets.counts import load_part
from lowlabel.datasets.splits import split_list
from lowlabel.errors import DataError

PARTS = {"base": "train", "val": "val", "novel": "test"}


def classes_of(part):
    return [row["wnid"] for row in split_list("mini_imagenet") if row["part"] == part]


def test_mini_imagenet_from_the_imagenet_folder(imagenet):
    prepare(DATASETS["mini-imagenet"], imagenet, allow_partial=True)
    assert (prepared_folder(DATASETS["mini-imagenet"]) / "train").is_symlink()
    listed = {row["wnid"]: row for row in split_list("mini_imagenet")}
    for part in PARTS:
        images = open_dataset("mini-imagenet", allow_partial=True).load(part)
        assert images.counts == (6, 3)
        for path in images.paths:
            wnid, number = Path(path).stem.split("_")
            assert listed[wnid]["part"] == part
            assert number in listed[wnid]["images"].split()[:2]
        assert len(images.manifest_sha256) == 64


def test_a_linked_folder_is_never_changed(imagenet, tmp_path):
    before = sorted(tmp_path.rglob("*.JPEG"))
    for _ in range(2):  # the second time replaces the first
        prepare(DATASETS["mini-imagenet"], imagenet, allow_partial=True)
    with pytest.raises(DataError, match="found 6 images of 3 classes, the full set has 38,400"):
        prepare(DATASETS["mini-imagenet"], imagenet)
    assert sorted(path for path in tmp_path.rglob("*.JPEG") if "home" not in path.parts) == before


@pytest.mark.parametrize("whole", [True, False])
def test_mini_imagenet_of_84_pixels(tmp_path, whole, write_image, zipped):
    root = tmp_path / "mini-imagenet"
    for part, name in PARTS.items():
        wnid = classes_of(part)[0]
        rows = [f"{wnid}{k:08d}.jpg,{wnid}" for k in range(1, 4)]
        (root / "images").mkdir(parents=True, exist_ok=True)
        (root / f"{name}.csv").write_text("\n".join(["filename,label", *rows]) + "\n")
        for row in rows[: None if whole or part != "val" else 2]:
            write_image(root / "images" / row.split(",")[0])
    prepare(DATASETS["mini-imagenet"], zipped(root, tmp_path / "mini.zip"), allow_partial=True)
    opened = open_dataset("mini-imagenet", allow_partial=True)
    (wnid,) = opened.load("novel").class_names
    assert wnid == classes_of("novel")[0]
    assert opened.load("novel").paths[0] == f"images/{wnid}00000001.jpg"
    assert opened.load("val").counts == (3 if whole else 2, 1)


def test_mini_imagenet_refuses_other_lists(tmp_path, write_image):
    write_image(tmp_path / "m" / "images" / "a.jpg")
    for name in PARTS.values():
        (tmp_path / "m" / f"{name}.csv").write_text("name,class\na.jpg,b\n")
    dataset = DATASETS["mini-imagenet"]
    with pytest.raises(DataError, match=r"test\.csv is not a mini-ImageNet list"):
        load_part(dataset, dataset.division("ravi"), tmp_path / "m", "novel")


def test_mini_imagenet_lists_are_the_published_ones(lists):
    for part, name in PARTS.items():
        with (lists / "mini_imagenet" / f"imagenet_names_{name}.csv").open() as file:
            published = {(row["class_name"], row["image_name"]) for row in csv.DictReader(file)}
        ours = {
            (row["wnid"], f"{row['wnid']}_{number}.JPEG")
            for row in split_list("mini_imagenet")
            if row["part"] == part
            for number in row["images"].split()
        }
        assert ours == published
        with (lists / "mini_imagenet" / f"{name}.csv").open() as file:
            small = Counter(row["label"] for row in csv.DictReader(file))
        assert small.keys() == {wnid for wnid, _ in published}
        expected = DATASETS["mini-imagenet"].division("ravi").expected[part]
        assert expected == (len(published), len(small)) == (small.total(), len(small))
