"""Folders for pretraining without labels and scoring with few."""

import io
import tarfile

import pytest

from lowlabel.datasets import open_dataset
from lowlabel.datasets.pretext_split import write_pretext_split
from lowlabel.errors import DataError, InputError
from lowlabel.training.listing import list_pretrain_data

CLASSES = ("crow", "gull", "finch", "heron")


@pytest.fixture
def whole(tmp_path, write_image):
    for name in CLASSES:
        for number in range(10):
            write_image(tmp_path / "birds" / name / f"{number}.png")
    return open_dataset(f"folder:{tmp_path / 'birds'}")


def images(folder):
    return {path.resolve() for path in folder.rglob("*.png")}


def test_a_share_of_each_class_is_scored_and_in_nothing_else(tmp_path, whole):
    found = write_pretext_split(whole, tmp_path / "split", validation_share=0.3)
    assert (found.images, found.classes) == (
        {"pretext": 28, "train": 28, "val": 12},
        {"pretext": 4, "train": 4, "val": 4},
    )
    pretext, train, val = (images(found.folder / part) for part in ("pretext", "train", "val"))
    assert pretext == train
    assert not pretext & val
    assert len(pretext | val) == 40
    assert not any(path.is_dir() for path in (found.folder / "pretext").iterdir())
    opened = open_dataset(f"folder:{found.folder}")
    assert opened.division.shared_classes
    assert opened.division.parts == ("train", "val")
    data = list_pretrain_data(f"folder:{found.folder}")
    assert (len(data.images), len(data.bank), len(data.queries)) == (28, 28, 12)


def test_classes_are_left_out_of_pretext_or_of_evaluation(tmp_path, whole):
    found = write_pretext_split(
        whole,
        tmp_path / "split",
        pretext_without=["crow"],
        evaluation_without=["gull", "heron"],
    )
    assert (found.classes["pretext"], found.classes["train"], found.classes["val"]) == (3, 2, 2)
    assert {p.name for p in (found.folder / "val").iterdir()} == {"crow", "finch"}
    assert not any(path.parent.name == "crow" for path in images(found.folder / "pretext"))


def test_a_division_with_shared_classes_keeps_its_own_test_images(tmp_path, write_image):
    for part, count in (("train", 6), ("test", 2)):
        for name in CLASSES:
            for number in range(count):
                write_image(tmp_path / "birds" / part / name / f"{part}{number}.png")
    opened = open_dataset(f"folder:{tmp_path / 'birds'}")
    found = write_pretext_split(opened, tmp_path / "split")
    assert found.images == {"pretext": 24, "train": 24, "val": 8}
    assert all("test" in path.name for path in images(found.folder / "val"))


def test_wrong_requests_write_nothing(tmp_path, whole):
    with pytest.raises(DataError, match=r"1 classes to leave out are not in .*: ostrich"):
        write_pretext_split(whole, tmp_path / "split", pretext_without=["ostrich"])
    with pytest.raises(InputError, match="1 for val"):
        write_pretext_split(whole, tmp_path / "split", evaluation_without=CLASSES[:3])
    with pytest.raises(InputError, match="between 0 and 1"):
        write_pretext_split(whole, tmp_path / "split", validation_share=1.0)
    assert not (tmp_path / "split").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(DataError, match="is not empty"):
        write_pretext_split(whole, tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_images_in_shards_are_refused(tmp_path, whole):
    with tarfile.open(tmp_path / "birds.tar", "w") as written:
        for number, path in enumerate(whole.load("all").paths):
            written.add(whole.root / path, f"{number}.png")
            label = tarfile.TarInfo(f"{number}.cls")
            label.size = 4
            written.addfile(label, io.BytesIO(path[:4].encode()))
    opened = open_dataset(f"wds:{tmp_path / 'birds.tar'}")
    with pytest.raises(InputError, match=r"lie in .*birds\.tar, and links lead to files alone"):
        write_pretext_split(opened, tmp_path / "split")
    assert not (tmp_path / "split").exists()
