"""The divisions of `demo`."""

from lowlabel.datasets import DATASETS
from lowlabel.datasets.counts import load_part
from lowlabel.datasets.demo.classes import demo_classes

DEMO = DATASETS["demo"]


def test_the_pictures_of_a_class_are_divided(tmp_path):
    for name in ("base/cube", "val/disc", "novel/star"):
        (tmp_path / name).mkdir(parents=True)
        for number in range(40):
            (tmp_path / name / f"{number:03d}.png").touch()
    division = DEMO.division("classification")
    parts = {part: load_part(DEMO, division, tmp_path, part) for part in division.parts}
    assert {part: images.counts for part, images in parts.items()} == {
        "train": (40, 2),
        "val": (16, 2),
        "test": (24, 2),
    }
    paths = [path for images in parts.values() for path in images.paths]
    assert len(paths) == len(set(paths)) == 80
    assert {images.class_names for images in parts.values()} == {("disc", "star")}


def test_classification_takes_no_class_that_demo_vit_was_trained_on():
    division = DEMO.division("classification")
    classes = sum(kind.part != "base" for kind in demo_classes())
    assert [counts.classes for counts in division.expected.values()] == [classes] * 3
    assert sum(counts.images for counts in division.expected.values()) == 40 * classes
    assert (division.train_part, division.validation_part) == ("train", "val")
    assert division.evaluated == "test"
    assert division.shared_classes


def test_the_default_division_is_that_of_classes():
    assert DEMO.divisions[0].name == "demo"
    assert DEMO.version == 2
