"""Folders that are not what their sub-folders would be taken for."""

import pytest

from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError


@pytest.fixture
def folder(tmp_path, write_image):
    def make(*classes):
        for name in classes:
            for number in range(2):
                write_image(tmp_path / name / f"{number}.png")
        return tmp_path

    return make


def check(path):
    opened = open_dataset(f"folder:{path}")
    opened.check_classes(*opened.division.parts)


@pytest.mark.parametrize("wrapper", ["dataset", "a/b/c", "train"])
def test_one_class_that_holds_the_classes_is_refused_with_the_deeper_path(folder, wrapper):
    root = folder(f"{wrapper}/cat", f"{wrapper}/dog")
    with pytest.raises(
        DataError, match=r"has one class, .* with 4 images in the folders cat/, dog/"
    ) as error:
        check(root)
    assert f"--dataset folder:{root / wrapper}" in error.value.hint


def test_one_class_of_images_is_refused(folder):
    with pytest.raises(DataError, match=r"one class, cat/, with 2 images: nothing"):
        check(folder("cat"))


def test_a_wrapped_part_is_refused(folder):
    root = folder("train/train/cat", "train/train/dog", "test/cat", "test/dog")
    with pytest.raises(DataError, match=r"train has one class, train/.*in the folders cat/, dog/"):
        check(root)


@pytest.mark.parametrize(
    "classes",
    [
        ("train/cat", "train/dog", "images/cat", "images/dog"),
        ("train", "unlabeled"),
        ("val/cat", "val/dog", "test/cat", "test/dog"),
        ("val/cat", "test/cat", "cat"),
        ("train/cat", "train/dog", "docs", "figures"),
    ],
)
def test_classes_that_look_like_parts_are_refused(folder, classes):
    with pytest.raises(DataError, match=r"would be classes, but .* like") as error:
        check(folder(*classes))
    assert "PATH/CLASS/IMAGE" in error.value.hint


@pytest.mark.parametrize(
    "classes",
    [
        ("seg_pred/seg_pred", "seg_test/seg_test/cat", "seg_train/seg_train/cat"),
        ("ILSVRC2012_img_train/cat", "ILSVRC2012_img_train/dog", "ILSVRC2012_img_val"),
        ("train2017/cat", "train2017/dog", "val2017/cat"),
        ("flowersTrain", "flowersTest"),
    ],
)
def test_classes_that_differ_only_in_the_name_of_a_part_are_refused(folder, classes):
    with pytest.raises(DataError, match="differ only in the name of a part") as error:
        check(folder(*classes))
    assert "PATH/CLASS/IMAGE" in error.value.hint


@pytest.mark.parametrize("second", ["set-b/train/cat", "cat"])
def test_parts_below_a_class_are_refused_with_the_path_to_give(folder, second):
    root = folder("set-a/Train/cat", "set-a/Test/cat", second)
    with pytest.raises(DataError, match=r"set-a/ of .* holds Test/, Train/") as error:
        check(root)
    assert f"folder:{root / 'set-a'}" in error.value.hint


def test_folders_that_repeat_the_same_classes_are_refused(folder):
    with pytest.raises(DataError, match="each of them holds the same folders cat/, dog/"):
        check(folder("fold1/cat", "fold1/dog", "fold2/cat", "fold2/dog"))


@pytest.mark.parametrize(
    "classes",
    [
        ("cat", "dog"),
        ("train", "bus", "car"),
        ("steam_train", "steam_ship", "crash_test"),
        ("cat/day", "cat/night", "dog"),
        ("birds/robin", "birds/wren", "fish/pike", "fish/cod"),
        ("train/cat", "train/dog", "val/cat", "val/dog"),
        ("train/unlabelled", "test/cat", "test/dog"),
    ],
)
def test_folders_of_classes_are_taken(folder, classes):
    check(folder(*classes))
