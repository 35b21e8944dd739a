"""Tiny-ImageNet in its own layout."""

from pathlib import Path

import pytest

from lowlabel.datasets import DATASETS, open_dataset, prepare
from lowlabel.datasets.pretraining import classes_seen
from lowlabel.errors import DataError

WNIDS = ("n01443537", "n12267677")


@pytest.fixture
def tiny(tmp_path: Path, write_image) -> Path:
    root = tmp_path / "tiny-imagenet-200"
    for wnid in WNIDS:
        for number in range(3):
            write_image(root / "train" / wnid / "images" / f"{wnid}_{number}.JPEG")
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text(f"{wnid}_0.JPEG\t0\t0\t63\t63\n")
    for number in range(4):
        write_image(root / "val/images" / f"val_{number}.JPEG")
    rows = [f"val_{number}.JPEG\t{WNIDS[number % 2]}\t0\t32\t44\t62\n" for number in range(4)]
    (root / "val/val_annotations.txt").write_text("".join(rows))
    write_image(root / "test/images/test_0.JPEG")
    (root / "wnids.txt").write_text("\n".join(WNIDS))
    return root


def test_the_published_layout(tiny, tmp_path, zipped):
    archive = zipped(tiny, tmp_path / "tiny-imagenet-200.zip")
    prepare(DATASETS["tiny-imagenet"], archive, allow_partial=True)
    opened = open_dataset("tiny-imagenet", allow_partial=True)
    train, val = opened.load("train"), opened.load("val")
    assert (train.counts, val.counts) == ((6, 2), (4, 2))
    assert train.class_names == val.class_names == WNIDS
    assert [val.class_names[label] for label in val.labels] == [*WNIDS, *WNIDS]
    assert opened.division.shared_classes
    assert (opened.division.train_part, opened.division.evaluated) == ("train", "val")
    assert opened.division.expected == {"train": (100_000, 200), "val": (10_000, 200)}


def test_validation_images_in_class_folders(tiny, write_image):
    for number in range(4):
        image = tiny / "val/images" / f"val_{number}.JPEG"
        (tiny / "val" / WNIDS[number % 2] / "images").mkdir(parents=True, exist_ok=True)
        image.rename(tiny / "val" / WNIDS[number % 2] / "images" / image.name)
    (tiny / "val/images").rmdir()
    prepare(DATASETS["tiny-imagenet"], tiny, allow_partial=True)
    val = open_dataset("tiny-imagenet", allow_partial=True).load("val")
    assert (val.counts, val.class_names) == ((4, 2), WNIDS)


def test_a_damaged_list_and_missing_images_are_named(tiny):
    (tiny / "val/images/val_3.JPEG").unlink()
    with pytest.raises(DataError, match=r"1 listed files are missing: val/images/val_3\.JPEG"):
        prepare(DATASETS["tiny-imagenet"], tiny)
    (tiny / "val/val_annotations.txt").write_text("val_0.JPEG\n")
    with pytest.raises(DataError, match="does not have rows of a file and its class"):
        prepare(DATASETS["tiny-imagenet"], tiny, allow_partial=True)


def test_models_that_saw_imagenet_are_marked(tiny):
    prepare(DATASETS["tiny-imagenet"], tiny, allow_partial=True)
    val = open_dataset("tiny-imagenet", allow_partial=True).load("val")
    said = classes_seen(val, "imagenet-1k")
    assert said == "pretrained on imagenet-1k: 2 of the 2 val classes"
