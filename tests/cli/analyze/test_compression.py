"""`lowlabel analyze compression`."""

import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from lowlabel.cli import app
from lowlabel.datasets import DATASETS, prepared_folder
from lowlabel.errors import InputError
from lowlabel.results import load_records


def call(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_table_and_a_picture_are_written(image_folder, tmp_path):
    command = ("analyze", "compression", "--dataset", f"folder:{image_folder}", "--model", "pixels")
    printed = call(*command, "--post", "int8", "--post", "binary", "--tasks", 0,
                   "--output", tmp_path / "out")  # fmt: skip
    (table,) = (tmp_path / "out").glob("*.csv")
    rows = pd.read_csv(table)
    assert rows["embedding"].unique().tolist() == ["float32", "int8", "binary"]
    assert (rows.groupby("embedding", sort=False)["bytes"].first() == [12288, 3072, 384]).all()
    assert "recall@1" in printed
    assert Image.open(table.with_suffix(".png")).size[0] > 300


def colours(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(len(names))
    for place, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 60, (16, 16, 3)) + 45 * np.array([place % 3, place % 2, 1])
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)


def landmarks():
    images = {"imlist": [f"keble_{n}" for n in range(11)], "qimlist": ["keble_11", "oxford_9"]}
    boxes = [{"bbx": [0, 0, 16, 15.5]}, {"bbx": [1, 1, 15, 15]}]
    truth = [{"easy": [0, 3], "hard": [5], "junk": [1]}, {"easy": [2], "hard": [4, 6], "junk": []}]
    gnd = [{**box, **rows} for box, rows in zip(boxes, truth, strict=True)]
    root = prepared_folder(DATASETS["roxford5k"])
    colours(root / "jpg", [f"{name}.jpg" for names in images.values() for name in names])
    (root / "gnd_roxford5k.pkl").write_bytes(pickle.dumps({**images, "gnd": gnd}, 3))


def copies():
    names = [f"original/20{n}00.jpg" for n in range(10, 16)]
    names += [f"strong/20{n}0{copy}.jpg" for n in range(10, 16) for copy in (1, 2)]
    colours(prepared_folder(DATASETS["copydays"]), names)


@pytest.mark.parametrize(
    ("write", "dataset", "metrics"),
    [
        (landmarks, "roxford5k", ["map_medium", "map_hard"]),
        (copies, "copydays", ["map@20"]),
    ],
)
def test_landmarks_and_copies_are_scored_as_in_a_run(write, dataset, metrics, tmp_path):
    write()
    shared = ("--dataset", dataset, "--model", "pixels", "--pooling", "head", "--allow-partial")
    shared += ("--post", "int8", "--output", tmp_path / "out")
    call("analyze", "compression", *shared)
    (table,) = (tmp_path / "out").glob("*.csv")
    rows = pd.read_csv(table).set_index(["embedding", "metric"])
    assert rows.index.tolist() == [(name, m) for name in ("float32", "int8") for m in metrics]
    call("run", "--suite", "retrieval", *shared)
    (record,) = load_records(tmp_path / "out" / "records")
    for metric in metrics:
        score = record.scores[metric]
        assert rows.loc[("int8", metric), "mean"] == pytest.approx(score.mean)
        assert rows.loc[("int8", metric), "ci95"] == pytest.approx(score.ci95, nan_ok=True)
        assert rows.loc[("int8", metric), "bytes"] == record.counts["bytes"]
    with pytest.raises(InputError, match="--tasks is about few-shot tasks"):
        call("analyze", "compression", *shared, "--tasks", 100)
    with pytest.raises(InputError, match="tasks=-1 must be an integer of at least 0"):
        call("analyze", "compression", *shared, "--tasks", -1)


def test_images_with_several_labels_are_refused(tmp_path):
    (tmp_path / "own.csv").write_text("path,labels\na.png,x|y\nb.png,y")
    colours(tmp_path, ["a.png", "b.png"])
    with pytest.raises(InputError, match="has several labels for each image"):
        call("analyze", "compression", "--dataset", f"csv:{tmp_path}/own.csv", "--model", "pixels")


def test_a_model_is_needed(tmp_path):
    with pytest.raises(InputError, match="needs a --model"):
        call("analyze", "compression", "--output", tmp_path)


def test_too_few_classes_for_few_shot_are_told_before_anything_is_embedded(
    image_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr("lowlabel.features.embed_dataset", None)
    command = ("analyze", "compression", "--dataset", f"folder:{image_folder}", "--model", "pixels")
    with pytest.raises(InputError, match="a 5-way task needs 5 classes") as error:
        CliRunner().invoke(
            app, [*command, "--output", str(tmp_path / "out")], catch_exceptions=False
        )
    assert "--tasks 0" in error.value.hint
