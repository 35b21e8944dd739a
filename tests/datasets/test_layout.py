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
        ("query/cat", "query/dog", "index/ox", "index/elk"),
        ("support", "query"),
        ("seen/cat", "seen/dog", "unseen/ox", "unseen/elk"),
        ("labeled/cat", "labeled/dog", "unlabeled/all"),
        ("known_classes/cat", "known_classes/dog", "novel_classes/ox", "novel_classes/elk"),
        ("calibration/cat", "calibration/dog", "evaluation/ox", "evaluation/elk"),
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
    ("classes", "scored"),
    [
        (("split1/cat", "split1/dog", "split2/ox", "split2/elk"), "split1"),
        (("Fold-1/cat", "Fold-1/dog", "Fold-2/ox", "Fold-2/elk"), "Fold-1"),
        (("data/cat", "data/dog", "examples"), "data"),
        (("images/cat", "images/dog", "thumbs"), "images"),
    ],
)
def test_numbered_folders_and_one_that_holds_the_classes_are_refused(folder, classes, scored):
    root = folder(*classes)
    with pytest.raises(DataError, match=f"would be classes, but {scored}/ holds") as error:
        check(root)
    assert f"folder:{root / scored}" in error.value.hint


def test_folders_in_classes_are_said_to_be_one_class(folder):
    with pytest.warns(UserWarning, match=r"2 classes, birds/, fish/; the 4 folders in them"):
        check(folder("birds/robin", "birds/wren", "fish/pike", "fish/cod"))


@pytest.mark.parametrize(
    "classes",
    [
        ("cat", "dog"),
        ("set1", "set2", "set3"),
        ("data", "examples", "maps"),
        ("train", "bus", "car"),
        ("steam_train", "steam_ship", "crash_test"),
        ("cat/day", "cat/night", "dog"),
        ("train/cat", "train/dog", "val/cat", "val/dog"),
        ("train/unlabelled", "test/cat", "test/dog"),
    ],
)
def test_folders_of_classes_are_taken(folder, classes):
    check(folder(*classes))
