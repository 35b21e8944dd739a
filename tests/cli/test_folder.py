"""`folder:PATH` on the command line: what is not taken is said and recorded."""

import json
import shutil
from dataclasses import replace

import pytest

from lowlabel.cli import main
from lowlabel.results import load_record, load_records


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code or 0


def run(folder, output):
    options = (
        "--suite",
        "fewshot",
        "--model",
        "pixels",
        "--resolution",
        "8",
        "--method",
        "dc-sslvit",
    )
    tasks = ("--ways", "2", "--shots", "1", "--queries", "2", "--tasks", "20")
    return call("run", *options, *tasks, "--dataset", f"folder:{folder}", "--output", output)


@pytest.mark.slow
def test_files_that_are_not_taken_are_said_once_and_recorded(image_folder, tmp_path, capsys):
    assert run(image_folder, tmp_path / "clean") == 0
    assert "left out" not in capsys.readouterr().err
    for place in ("base/base0", "novel/novel0", "val"):
        (image_folder / place / "notes.txt").touch()
    (image_folder / "novel" / "novel1" / "clip.mp4").touch()
    assert run(image_folder, tmp_path / "noted") == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "not taken" in line]
    assert said == [
        f"left out: folder:{image_folder} base: 1 file is not taken: 1 .txt",
        f"left out: folder:{image_folder} novel: 2 files are not taken: 1 .mp4, 1 .txt",
    ]
    (clean,), (noted,) = (
        list((tmp_path / name / "records").glob("*.json")) for name in ("clean", "noted")
    )
    assert json.loads(noted.read_text())["left_out"] == {".mp4": 1, ".txt": 2}
    assert "left_out" not in json.loads(clean.read_text())
    assert load_record(noted).identity() == load_record(clean).identity()


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize("suite", ["fewshot", "knn", "retrieval"])
def test_a_wrapped_folder_is_refused_with_the_path_to_give(
    image_folder, tmp_path, capsys, suite, dry
):
    shutil.copytree(image_folder / "base", tmp_path / "birds" / "dataset")
    data = ("--model", "pixels", "--dataset", f"folder:{tmp_path / 'birds'}", *dry)
    assert call("run", "--suite", suite, *data, "--output", tmp_path / "o") == 2
    message = capsys.readouterr().err
    assert f"--dataset folder:{tmp_path / 'birds' / 'dataset'}" in message
    assert "Traceback" not in message


def test_nothing_is_tuned_on_the_part_that_is_scored(image_folder, tmp_path, capsys):
    shutil.rmtree(image_folder / "novel")
    options = ("--model", "pixels", "--method", "logreg", "--tune", "--output", tmp_path / "o")
    assert call("run", "--suite", "fewshot", "--dataset", f"folder:{image_folder}", *options) == 2
    assert "the dataset has no validation part" in capsys.readouterr().err


def test_distractors_need_no_classes(image_folder, tmp_path):
    from lowlabel.datasets import open_dataset

    shutil.copytree(image_folder / "base" / "base0", tmp_path / "others" / "jpg")
    assert open_dataset(f"folder:{tmp_path / 'others'}").load("all").counts == (6, 1)


def test_extract_and_pretrain_say_what_is_not_taken(image_folder, capsys):
    (image_folder / "base" / "notes.txt").touch()
    folder = f"folder:{image_folder}"
    assert call("extract", "--model", "pixels", "--dataset", folder, "--part", "base") == 0
    assert "base: 1 file is not taken: 1 .txt" in capsys.readouterr().err
    arguments = ("--preset", "small-images", "--batch-size", "8", "--dry-run")
    assert call("pretrain", "dino", "--dataset", folder, *arguments) == 0
    assert "1 file is not taken: 1 .txt" in capsys.readouterr().err


def test_small_classes_are_left_out_named_and_recorded(image_folder, tmp_path, capsys):
    novel = image_folder / "novel"
    for extra in sorted((novel / "novel0").iterdir())[2:]:
        extra.unlink()
    (novel / "novel1/notes.txt").touch()
    data = ["--dataset", f"folder:{novel}", "--output", str(tmp_path / "out")]
    arguments = ["run", "--suite", "fewshot", "--model", "pixels", "--resolution", "8", *data]
    arguments += ["--method", "ncm", "--ways", "2", "--queries", "2", "--shots", "1"]
    assert call(*arguments, "--tasks", "20") == 2
    assert "--min-images 3 for folders" in capsys.readouterr().err
    assert call(*arguments, "--tasks", "20", "--min-images", "3") == 0
    shown = capsys.readouterr()
    assert "1 class of fewer than 3 images: novel0 (2)" in shown.err
    assert "Left out: 1 class of fewer than 3 images: novel0 (2)." in shown.out
    table = (tmp_path / "out/leaderboard.md").read_text()
    assert "- Dataset: 12 images of 2 classes; not taken: 1 .txt." in table
    assert "- Left out: 1 class of fewer than 3 images: novel0 (2)." in table
    (record,) = load_records(tmp_path / "out")
    dataset = record.experiment.dataset
    assert (dataset.min_images, dataset.small_classes) == (3, {"novel0": 2})
    without = replace(record.experiment, dataset=replace(dataset, small_classes={}))
    assert without.identity() != record.identity()


def test_two_folders_of_one_name_are_told_apart_by_their_paths(image_folder, tmp_path, capsys):
    other = tmp_path / "other/novel"
    shutil.copytree(image_folder / "novel", other)
    (other / "novel0/0.png").unlink()
    for folder in (image_folder / "novel", other):
        arguments = ["--model", "pixels", "--resolution", "8", "--dataset", f"folder:{folder}"]
        arguments += ["--suite", "retrieval", "--k", "1", "--output", str(tmp_path / "out")]
        assert call("run", *arguments) == 0
    table = (tmp_path / "out/leaderboard.md").read_text()
    for folder in (image_folder / "novel", other):
        assert f"## Retrieval: {folder} (" in table
