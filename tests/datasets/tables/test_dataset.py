"""`csv:FILE` datasets: parts, classes, boxes, and the same images as a folder of them."""

import numpy as np
import pytest

from lowlabel.benchmarks.checks import check_folders
from lowlabel.benchmarks.jobs import Job
from lowlabel.benchmarks.protocols.retrieval import Retrieval
from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError
from lowlabel.features import extract_features, load_backbone


@pytest.fixture
def table(image_folder):
    """Writes a table of all images, from (path, part, class) to the other columns."""

    def write(header, row):
        lines = [f"path,label{header}"]
        for path in sorted(image_folder.rglob("*.png")):
            part, name, file = path.relative_to(image_folder).parts
            lines.append(f"{part}/{name}/{file},{name}{row(part, name, file)}")
        (image_folder / "list.csv").write_text("\n".join(lines))
        return f"csv:{image_folder / 'list.csv'}"

    return write


def test_splits_are_parts_with_the_images_of_the_folders(table, image_folder):
    opened = open_dataset(table(",split", lambda part, name, file: f",{part.upper()}"))
    folder = open_dataset(f"folder:{image_folder}")
    assert (opened.name, opened.title) == ("csv:list.csv:splits", "list")
    assert opened.division.parts == folder.division.parts
    backbone = load_backbone("pixels", resolution=8)
    for part in opened.division.parts:
        ours, theirs = opened.load(part), folder.load(part)
        assert (ours.paths, ours.class_names) == (theirs.paths, theirs.class_names)
        assert ours.manifest.sha256 == theirs.manifest.sha256
        ours, theirs = (extract_features(backbone, images) for images in (ours, theirs))
        assert np.array_equal(ours.features, theirs.features)


def test_without_splits_all_images_are_evaluated(table):
    opened = open_dataset(table("", lambda part, name, file: ""))
    assert (opened.division.name, opened.division.parts) == ("all", ("all",))
    assert opened.load("all").counts == (48, 8)


def test_queries_and_gallery_of_a_table_are_searched(table):
    splits = {"base": "gallery", "val": "query", "novel": "train"}
    division = open_dataset(table(",split", lambda part, *_: f",{splits[part]}")).division
    assert division.parts == ("train", "gallery", "query")
    assert (division.gallery, division.train_part) == ("gallery", "train")


def test_classes_that_train_lacks_and_rows_of_other_splits_are_named(table):
    splits = {"base": "train", "val": "test", "novel": "query"}
    opened = open_dataset(table(",split", lambda part, *_: f",{splits[part]}"))
    path = opened.dataset.source
    assert opened.division.unshared == (
        f"2 of the 2 classes of the test rows of {path} have no images in the train rows of "
        f"{path}: val0, val1"
    )
    assert opened.left_out("test") == {"in rows of query": 18}


def test_splits_that_are_no_division_are_refused_with_those_that_are(table):
    with pytest.raises(DataError, match="are no division: test, val") as error:
        open_dataset(table(",split", lambda part, *_: ",val" if part == "val" else ",test"))
    assert "leave the splits out" in error.value.hint
    with pytest.raises(DataError, match="ambiguous: it holds Train, train"):
        open_dataset(
            table(",split", lambda part, _, file: ",test" if part == "val" else _train(file))
        )


def _train(file):
    return ",Train" if file == "0.png" else ",train"


def test_boxes_crop_the_images(table, image_folder):
    opened = open_dataset(table(",box", lambda part, name, file: ',"2,3,10,11"'))
    images = opened.load("all")
    assert set(images.boxes) == {(2.0, 3.0, 10.0, 11.0)}
    whole = open_dataset(table("", lambda *_: "")).load("all")
    assert whole.manifest.sha256 != images.manifest.sha256


def test_groups_belong_to_the_images_and_change_no_features(table):
    opened = open_dataset(table(",group", lambda part, name, file: f",{file[0]}"))
    images = opened.load("all")
    assert images.groups[:7] == ("0", "1", "2", "3", "4", "5", "0")
    assert images.only([1, 0]).groups == ("1", "0")
    plain = open_dataset(table("", lambda *_: "")).load("all")
    assert plain.groups is None
    assert plain.manifest.sha256 == images.manifest.sha256


def test_columns_that_are_not_used_are_said(table):
    spec = table(",fold", lambda *_: ",1")
    protocol = Retrieval()
    job = Job(spec, protocol.division_of(spec), protocol)
    assert check_folders([job]) == (f"{spec}: columns that are not used: fold",)


def test_a_missing_table_and_no_table_are_told_apart(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        open_dataset(f"csv:{tmp_path / 'none.csv'}")
    with pytest.raises(DataError, match="csv: names no table"):
        open_dataset("csv:")
