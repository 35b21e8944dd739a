"""`lowlabel predict`: from folders of images to a CSV of labels."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lowlabel.cli.predict import predict
from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.escaping import from_csv_cell

NAMES = ("=red", "green", "blue")


def picture(random, label):
    pixels = random.integers(0, 90, (16, 16, 3))
    pixels[..., label] += 120
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Six labelled images of each of three colours, and nine without a label."""
    random = np.random.default_rng(0)
    for label, name in enumerate(NAMES):
        folder = tmp_path / "known" / name
        folder.mkdir(parents=True)
        for number in range(6):
            picture(random, label).save(folder / f"{number}.png")
    (tmp_path / "new").mkdir()
    for number in range(9):
        picture(random, number % 3).save(tmp_path / "new" / f"{number}.png")
    monkeypatch.setenv("LOWLABEL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(caller):
    call = caller(predict)

    def with_usual_options(*arguments):
        return call(*arguments, "--dataset", "folder:known", "--model", "pixels")

    return with_usual_options


def labels(path):
    return pd.read_csv(path)


def test_images_get_the_labels_of_their_colours(place, call):
    printed = call("new", "--output", "labels.csv")
    table = labels("labels.csv")
    assert table.columns.tolist() == ["path", "label", "score", "runner_up", "runner_up_score"]
    assert table.path.tolist() == [f"new/{number}.png" for number in range(9)]
    assert [from_csv_cell(name) for name in table.label] == [NAMES[n % 3] for n in range(9)]
    assert (table.label.iloc[0], table.score.gt(table.runner_up_score).all()) == ("'=red", True)
    assert "expected accuracy: 100.0 % (95 % interval 82.4 to 100.0)" in printed
    facts = json.loads(Path("labels.json").read_text())
    assert facts["expected_accuracy"] == 100.0
    assert facts["scored_images"] == 18
    assert facts["labelled"]["number"] == 18
    assert len(facts["tried"]) == 7


def test_the_same_command_writes_the_same_files_and_replaces_none_unasked(place, call):
    call("new", "--output", "labels.csv", "--method", "ncm", "--method", "knn")
    first = Path("labels.csv").read_bytes(), Path("labels.json").read_bytes()
    with pytest.raises(InputError, match="would be replaced"):
        call("new", "--output", "labels.csv")
    call("new", "--output", "labels.csv", "--method", "ncm", "--method", "knn", "--overwrite")
    assert (Path("labels.csv").read_bytes(), Path("labels.json").read_bytes()) == first


def test_damaged_images_stop_the_command_or_are_left_out_and_said(place, call):
    (place / "new/3.png").write_bytes(b"no image")
    (place / "known/blue/0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="1 of 18 images under known cannot be decoded"):
        call("new", "--output", "labels.csv")
    assert not Path("labels.csv").exists()
    printed = call("new", "--output", "labels.csv", "--skip-bad-images", "--method", "ncm")
    assert "1 unlabelled images cannot be decoded: new/3.png" in printed or "3.png" in printed
    table = labels("labels.csv")
    assert "new/3.png" not in table.path.tolist()
    assert [from_csv_cell(name) for name in table.label] == [
        NAMES[n % 3] for n in range(9) if n != 3
    ]
    assert json.loads(Path("labels.json").read_text())["labelled"]["number"] == 17


BROKEN = """
import torch

class Broken(torch.nn.Module):
    def forward(self, images):
        means = images.mean((2, 3))
        return means * (means.mean(1, keepdim=True) > -1.5) {more}

def model():
    return Broken()
"""


def test_images_with_zero_features_get_no_label_and_labelled_ones_stop_the_command(place, caller):
    Path("broken.py").write_text(BROKEN.format(more=""))
    Image.new("RGB", (16, 16)).save("new/4.png")
    model = "--dataset", "folder:known", "--model", "python:broken.py:model"
    printed = caller(predict)("new", *model, "--output", "labels.csv", "--method", "ncm")
    assert "without a label: 1 of 9 embeddings to label are all zero" in printed
    assert "path new/4.png" in printed
    table = labels("labels.csv")
    assert table.path[table.label.isna()].tolist() == ["new/4.png"]
    assert json.loads(Path("labels.json").read_text())["without_label"] == ["new/4.png"]
    Image.new("RGB", (16, 16)).save("known/blue/0.png")
    with pytest.raises(DataError, match=r"1 of 18 labelled embeddings.*: path blue/0\.png"):
        caller(predict)("new", *model, "--output", "other.csv", "--method", "ncm")


def test_images_with_features_that_are_not_finite_stop_the_command(place, caller):
    Path("broken.py").write_text(BROKEN.format(more="/ (means.mean(1, keepdim=True) > -1.5)"))
    Image.new("RGB", (16, 16)).save("new/4.png")
    model = "--dataset", "folder:known", "--model", "python:broken.py:model"
    with pytest.raises(DataError, match=r"are not finite for 1 images, the first is .*4\.png"):
        caller(predict)("new", *model, "--output", "labels.csv", "--method", "ncm")
    assert not Path("labels.csv").exists()


def test_a_table_with_groups_keeps_them_together(place, caller):
    rows = [
        f"known/{name}/{number}.png,{name},{name}{number // 2}"
        for name in NAMES
        for number in range(6)
    ]
    Path("known.csv").write_text("\n".join(["path,label,group", *rows]) + "\n")
    Path("new.csv").write_text("path\nnew/4.png\nnew/2.png\n")
    options = "--dataset", "csv:known.csv", "--model", "pixels", "--output", "labels.csv"
    printed = caller(predict)("new.csv", *options)
    assert "3 folds" in printed  # as many as a class has groups
    assert labels("labels.csv").label.tolist() == ["blue", "green"]  # by their paths
    assert "9 groups" in json.loads(Path("labels.json").read_text())["interval_definition"]


def test_a_class_of_one_image_and_labelled_images_among_the_others_are_said(place, call):
    picture(np.random.default_rng(1), 1).save("new/again.png")
    (place / "known/lone").mkdir()
    Image.new("RGB", (16, 16), (250, 250, 250)).save("known/lone/0.png")
    Image.new("RGB", (16, 16), (250, 250, 250)).save("new/white.png")
    printed = call("new", "--output", "labels.csv", "--method", "ncm")
    assert "classes of one image or group: 1 (lone)" in printed
    assert "1 of them are among the labelled images" in printed
    assert labels("labels.csv").set_index("path").label["new/white.png"] == "lone"
    assert "on 18 labelled images" in printed


def test_images_with_several_labels_are_refused_by_name(place, caller):
    Path("own.csv").write_text("path,labels\nknown/green/0.png,a|b\nknown/blue/0.png,b")
    with pytest.raises(InputError, match=r"images of csv:own\.csv.* have several labels"):
        caller(predict)("new", "--dataset", "csv:own.csv", "--model", "pixels", "--output", "l.csv")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("--output", "labels.txt"), InputError, "is no .csv file"),
        (("--output", "l.csv", "--part", "train"), UnknownNameError, "unknown part"),
        (("--output", "l.csv", "--method", "tim"), InputError, "tim cannot predict labels"),
        (("--output", "l.csv", "--method", "nmc"), UnknownNameError, "Did you mean ncm"),
        (("--output", "l.csv", "--folds", "2"), InputError, "folds=2 must be"),
    ],
)
def test_wrong_options_are_refused(place, call, arguments, error, message):
    with pytest.raises(error, match=message):
        call("new", *arguments)
    assert not Path("l.csv").exists()
