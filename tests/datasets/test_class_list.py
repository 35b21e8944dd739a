"""Datasets restricted to the classes of a list."""

from pathlib import Path

import pytest

from lowlabel.datasets import DATASETS, open_dataset, prepare
from lowlabel.datasets.class_list import only_classes, read_class_list
from lowlabel.errors import DataError

WNIDS = ("n01440764", "n01443537", "n01484850")


@pytest.fixture
def imagenet_tree(tmp_path: Path, write_image) -> Path:
    for part, count in (("train", 3), ("val", 50)):
        for wnid in WNIDS:
            for number in range(count):
                write_image(tmp_path / "ILSVRC" / part / wnid / f"{wnid}_{number}.JPEG")
    return tmp_path / "ILSVRC"


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "two classes.txt"
    path.write_text(f"# two of three\n{WNIDS[2]} great white shark\n\n{WNIDS[0]}\n")
    return path


def test_a_list_makes_a_subset_with_a_name_of_its_own(imagenet_tree, two):
    prepare(DATASETS["imagenet"], imagenet_tree, allow_partial=True)
    whole = open_dataset("imagenet", allow_partial=True)
    opened = open_dataset("imagenet", class_list=two)  # the counts of val are checked, and right
    assert opened.load("train").class_names == opened.load("val").class_names == WNIDS[::2]
    assert opened.load("val").counts == (100, 2)
    assert opened.name.startswith("imagenet:ilsvrc2012-two-classes-")
    assert opened.title == "ImageNet-1k, 2 classes of two classes.txt"
    assert opened.load("val").manifest_sha256 != whole.load("val").manifest_sha256
    assert opened.division.shared_classes


def test_lists_of_the_same_classes_have_one_name(two, tmp_path):
    division = DATASETS["imagenet"].divisions[0]
    name = only_classes(division, two).name
    two.write_text(f"{WNIDS[0]}\n{WNIDS[2]}\n{WNIDS[2]}\n")
    assert only_classes(division, two).name == name
    two.write_text(f"{WNIDS[0]}\n{WNIDS[1]}\n")
    assert only_classes(division, two).name != name


def test_listed_classes_without_images_are_named(imagenet_tree, two):
    prepare(DATASETS["imagenet"], imagenet_tree, allow_partial=True)
    two.write_text("\n".join((*WNIDS, "n15075141", "n13133613")))
    opened = open_dataset("imagenet", class_list=two, allow_partial=True)
    said = r"2 of the 5 classes in .*two classes\.txt are not in the train part of ilsvrc2012: n131"
    with pytest.raises(DataError, match=said):
        opened.load("train")


def test_an_incomplete_subset_needs_to_be_allowed(imagenet_tree, two):
    prepare(DATASETS["imagenet"], imagenet_tree, allow_partial=True)
    (imagenet_tree / "val" / WNIDS[0] / f"{WNIDS[0]}_0.JPEG").unlink()
    with pytest.raises(DataError, match=r"val: found 99 images of 2 classes, the full set has 100"):
        open_dataset("imagenet", class_list=two).load("val")


def test_parts_of_different_classes_are_restricted_each(image_folder, tmp_path):
    listing = tmp_path / "some.txt"
    listing.write_text("base0\nbase2\nnovel1\nnovel2\n")
    opened = open_dataset(f"folder:{image_folder}", class_list=listing)
    assert opened.load("base").class_names == ("base0", "base2")
    assert opened.load("novel").class_names == ("novel1", "novel2")
    listing.write_text("base0\nnovel1\nnovel9\n")
    with pytest.raises(DataError, match=r"1 of the 3 classes in .*: novel9"):
        open_dataset(f"folder:{image_folder}", class_list=listing).load("novel")


def test_bad_lists_are_refused(two, tmp_path):
    two.write_text("# nothing\n")
    with pytest.raises(DataError, match="names no class"):
        open_dataset("demo", class_list=two)
    with pytest.raises(DataError, match=r"cannot read the list .*none\.txt"):
        read_class_list(tmp_path / "none.txt")
    two.write_text("a\n")
    with pytest.raises(DataError, match="has no classes that"):
        only_classes(DATASETS["demo-copies"].divisions[0], two)
