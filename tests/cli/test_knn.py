"""k-NN classification from the command line, on embeddings made elsewhere."""

import json

import numpy as np
import pytest

from lowlabel.benchmarks.protocols.knn import index_in_class
from lowlabel.cli import main


def test_index_in_class():
    labels = np.array([3, 1, 3, 3, 1, 9])
    assert index_in_class(labels).tolist() == [0, 0, 1, 2, 1, 0]


def brute_force(features, labels, k, temperature):
    """Votes in float64, one image at a time."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    scored = index_in_class(labels) % 2 == 1
    voters, hits = np.flatnonzero(~scored), []
    for image in np.flatnonzero(scored):
        similarity = unit[voters] @ unit[image]
        nearest = np.argsort(-similarity, kind="stable")[:k]
        votes = np.zeros(labels.max() + 1)
        np.add.at(votes, labels[voters[nearest]], np.exp(similarity[nearest] / temperature))
        hits.append(votes.argmax() == labels[image])
    return 100 * np.mean(hits)


def test_scores_half_of_each_class_by_the_other_half(tmp_path):
    random = np.random.default_rng(0)
    labels = random.permutation(np.repeat(np.arange(7), 21))
    features = random.normal(size=(7, 12))[labels] + 1.5 * random.normal(size=(147, 12))
    np.savez(tmp_path / "made.npz", features=features.astype(np.float32), labels=labels)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--suite", "knn", "--features", str(tmp_path / "made.npz"),
              "--output", str(tmp_path / "out")])  # fmt: skip
    assert not ended.value.code
    shown = (tmp_path / "out/leaderboard.md").read_text()
    assert "Classification" in shown and "Top-1" in shown and "70 images, 77 voters" in shown
    (path,) = (tmp_path / "out" / "records").glob("*.json")
    record = json.loads(path.read_text())
    expected = brute_force(features.astype(np.float32).astype(np.float64), labels, 20, 0.07)
    assert record["scores"]["top1"]["mean"] == pytest.approx(expected, abs=1e-4)
    assert record["experiment"]["suite"] == "classification"
    assert 20 < expected < 99


def test_the_orientation_is_recorded_where_it_is_not_the_default(image_folder, tmp_path):
    run = ["run", "--suite", "knn", "--model", "pixels", "--dataset", f"folder:{image_folder}",
           "--device", "cpu", "--output", str(tmp_path / "out")]  # fmt: skip
    for options in ([], ["--orientation", "exif"]):
        with pytest.raises(SystemExit) as ended:
            main([*run, *options])
        assert not ended.value.code
    records = [json.loads(path.read_text()) for path in (tmp_path / "out/records").glob("*.json")]
    turned = [record["experiment"]["model"]["transform"].get("orientation") for record in records]
    assert set(turned) == {None, "exif"}
    assert (
        len({frozenset(record["experiment"]["feature_keys"].values()) for record in records}) == 2
    )


def test_resize_and_interpolation_are_recorded(image_folder, tmp_path):
    with pytest.raises(SystemExit) as ended:
        main(["run", "--suite", "knn", "--model", "pixels", "--dataset", f"folder:{image_folder}",
              "--resize", "32", "--interpolation", "bilinear", "--device", "cpu",
              "--output", str(tmp_path / "out")])  # fmt: skip
    assert not ended.value.code
    (path,) = (tmp_path / "out/records").glob("*.json")
    transform = json.loads(path.read_text())["experiment"]["model"]["transform"]
    assert (transform["resize"], transform["interpolation"]) == (32, "bilinear")


def test_an_unknown_orientation_or_one_for_given_embeddings_is_an_error(tmp_path, capsys):
    np.savez(tmp_path / "made.npz", features=np.eye(4, dtype=np.float32), labels=[0, 0, 1, 1])
    for options, message in (
        (["--model", "pixels", "--orientation", "up"], "unknown orientation 'up'"),
        (["--features", str(tmp_path / "made.npz"), "--orientation", "exif"], "and --orientation"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["run", "--suite", "knn", *options])
        assert ended.value.code == 2
        assert message in " ".join(capsys.readouterr().err.split())
