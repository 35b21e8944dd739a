"""`--class-list` on the command line."""

import json

import pytest

from lowlabel.cli import main


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code or 0


def test_prepare_checks_the_listed_classes_alone(tmp_path, capsys):
    root = tmp_path / "tiny-imagenet-200"
    wnids = ("n01443537", "n01629819", "n12267677")
    for part, images in (("train", 500), ("val", 50)):
        for wnid in wnids:
            (root / part / wnid / "images").mkdir(parents=True)
            for number in range(images):
                (root / part / wnid / "images" / f"{number}.JPEG").touch()
    (root / "wnids.txt").touch()
    (root / "val" / wnids[2] / "images/0.JPEG").unlink()
    listing = tmp_path / "two.txt"
    listing.write_text("\n".join(wnids[:2]))
    arguments = ["prepare", "tiny-imagenet", "--archive", root]
    assert call(*arguments) == 2
    assert "val: found 149 images of 3 classes" in capsys.readouterr().err
    assert call(*arguments, "--class-list", listing) == 0
    assert f"run it with --class-list {listing}" in capsys.readouterr().out


def test_run_scores_the_listed_classes(image_folder, tmp_path, capsys):
    listing = tmp_path / "classes.txt"
    listing.write_text("novel0\nnovel2\n")
    output = tmp_path / "results"
    arguments = ["run", "--suite", "knn", "--model", "pixels", "--output", output]
    arguments += ["--dataset", f"folder:{image_folder}", "--class-list", listing]
    assert call(*arguments, "--dry-run") == 0
    assert "12 images of 2 classes" in capsys.readouterr().out
    assert call(*arguments) == 0
    [path] = (output / "records").glob("*.json")
    dataset = json.loads(path.read_text())["experiment"]["dataset"]
    assert (dataset["images"], dataset["classes"]) == (12, 2)
    assert dataset["scheme"].startswith("folders-classes-")
    assert dataset["title"] == "images, 2 classes of classes.txt"
    listing.write_text("novel0\nnovel7\n")
    assert call(*arguments) == 2
    assert "1 of the 2 classes in" in (said := capsys.readouterr().err)
    assert "novel7" in said


def test_a_class_list_does_not_go_with_embeddings_made_elsewhere(tmp_path, capsys):
    assert call("run", "--features", tmp_path / "f.npz", "--class-list", tmp_path / "c.txt") == 2
    assert "--class-list does not go with it" in capsys.readouterr().err
