"""`lowlabel predict --features`: from embeddings made elsewhere to a CSV of labels."""

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from lowlabel.classification import predict_labels
from lowlabel.cli.predict import predict
from lowlabel.errors import DataError, InputError

NAMES = np.array(["heron", "=gull", "crow"])


@pytest.fixture
def arrays(tmp_path, monkeypatch):
    """Ten embeddings of each of three classes, and eight to label."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    centres, labels = random.normal(size=(3, 8)), np.arange(30) % 3
    features = centres[labels] + 0.4 * random.normal(size=(30, 8))
    new = centres[np.arange(8) % 3] + 0.4 * random.normal(size=(8, 8))
    return {
        "features": features.astype(np.float32),
        "labels": NAMES[labels],
        "new_features": new.astype(np.float32),
    }


@pytest.fixture
def call(caller):
    call = caller(predict)
    return lambda *arguments: call(*arguments, "--output", "l.csv", "--overwrite")


def save(**arrays):
    np.savez("known.npz", **arrays)
    return "known.npz"


def test_embeddings_get_the_labels_of_predict_labels(arrays, call):
    printed = call("--features", save(**arrays), "--method", "ncm", "--method", "ridge")
    assert "labelled: 30 embeddings of 3 classes" in printed
    names = sorted(NAMES)
    numbers = np.array([names.index(name) for name in arrays["labels"]])
    expected = predict_labels(
        arrays["features"], numbers, arrays["new_features"], methods=("ncm", "ridge")
    )
    table = pd.read_csv("l.csv")
    assert table.columns.tolist()[:3] == ["row", "label", "score"]
    assert table.row.tolist() == [*range(8)]
    assert [name.lstrip("'") for name in table.label] == [names[n] for n in expected.labels]
    np.testing.assert_allclose(table.score, expected.scores, atol=1e-6)
    facts = json.loads(Path("l.json").read_text())
    assert facts["expected_accuracy"] == expected.choice.accuracy
    assert facts["labelled"]["number"] == 30 and facts["unlabelled"]["number"] == 8
    assert facts["labelled"]["sha256"] == facts["unlabelled"]["sha256"]


def test_a_file_of_its_own_other_names_paths_groups_and_numbers(arrays, call):
    paths = [f"bird {n}" for n in range(8)]
    with h5py.File("known.h5", "w") as file:
        file["emb"], file["y"] = arrays["features"], np.array([7, 9, 40])[np.arange(30) % 3]
        file["groups"] = [f"g{n // 6}" for n in range(30)]
    with h5py.File("new.h5", "w") as file:
        file["emb"], file["paths"] = arrays["new_features"], paths
    files = "--features", "known.h5", "--new-features", "new.h5"
    call(*files, "--features-key", "emb,y", "--method", "ncm")
    table = pd.read_csv("l.csv")
    assert table.path.tolist() == paths
    assert set(table.label) <= {7, 9, 40}
    facts = json.loads(Path("l.json").read_text())
    assert "5 groups" in facts["interval_definition"]
    assert facts["labelled"]["sha256"] != facts["unlabelled"]["sha256"]


def test_embeddings_that_are_among_the_labelled_ones_are_counted(arrays, call):
    arrays["new_features"] = arrays["features"][:2]
    printed = call("--features", save(**arrays, new_paths=["a", "b"]), "--method", "ncm")
    assert "2 of them are among the labelled ones" in printed
    assert pd.read_csv("l.csv").path.tolist() == ["a", "b"]


@pytest.mark.parametrize("method", ["ncm", "knn", "ridge,norm=l2"])
def test_embeddings_that_are_zero_get_no_label_and_are_counted(arrays, call, method):
    call("--features", save(**arrays), "--method", method)
    before = pd.read_csv("l.csv")
    arrays["new_features"][[2, 5]] = 0
    printed = call("--features", save(**arrays), "--method", method)
    assert "2 of 8 embeddings to label are all zero and have no direction: row 2, 5" in printed
    assert "written: l.csv (6 labels)" in printed
    before.loc[[2, 5], before.columns[1:]] = np.nan
    pd.testing.assert_frame_equal(pd.read_csv("l.csv"), before)
    assert json.loads(Path("l.json").read_text())["without_label"] == [2, 5]


def test_new_embeddings_that_are_all_equal_are_said(arrays, call):
    arrays["new_features"][:] = arrays["new_features"][0]
    printed = call("--features", save(**arrays), "--method", "ncm")
    assert "all 8 embeddings to label are equal, so they get one label" in printed
    assert pd.read_csv("l.csv").label.nunique() == 1


@pytest.mark.parametrize("method", ["ncm", "knn"])
def test_labelled_embeddings_that_are_zero_are_refused_by_row(arrays, call, method):
    arrays["features"][[4, 7]] = 0
    with pytest.raises(DataError, match=r"2 of 30 labelled embeddings are all zero.*: row 4, 7"):
        call("--features", save(**arrays), "--method", method)
    assert not Path("l.csv").exists()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"new_features": np.zeros((4, 8))}, DataError, "all 4 embeddings to label are zero"),
        ({"features": np.ones((30, 8))}, InputError, "all 30 rows of features are equal"),
        ({"new_features": None}, DataError, "no array new_features; it has: features, labels"),
        ({"new_features": np.ones((4, 3))}, InputError, "8 dimensions, the embeddings to label"),
        ({"new_features": np.full((2, 8), np.nan)}, DataError, "2 of 2 rows of new_features hold"),
        ({"new_features": np.ones((2, 8), int)}, DataError, "new_features are int64, not floats"),
        ({"labels": np.zeros(3, int)}, DataError, r"labels \(3,\)"),
        ({"labels": np.zeros(30, int)}, InputError, "all 30 train images have the class"),
        ({"new_paths": ["a"]}, DataError, r"new_paths are <U1 \[1\], not a number or a text for"),
        ({"groups": np.zeros(30)}, DataError, r"groups are float64 \[30\], not a number or a text"),
    ],
)
def test_arrays_that_do_not_fit_are_said(arrays, call, change, error, message):
    kept = {name: array for name, array in {**arrays, **change}.items() if array is not None}
    with pytest.raises(error, match=message):
        call("--features", save(**kept), "--method", "ncm")
    assert not Path("l.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--features", "known.npz", "new"), "images to label do not go with it"),
        (("--features", "known.npz", "--model", "pixels"), "--model does not go with it"),
        (("--features", "known.npz", "--dataset", "folder:x"), "--dataset does not go with it"),
        (("--features", "known.npz", "--pooling", "mean"), "of preprocessing do not go with it"),
        (("--features", "known.npz", "--skip-bad-images"), "--skip-bad-images does not go"),
        (("--features", "known.pkl"), "is a pickle from class to features"),
        (("--new-features", "known.npz"), "--new-features means nothing without --features"),
        (("--features-key", "a"), "--features-key means nothing without --features"),
        (("new", "--model", "pixels"), "--dataset must be named"),
        ((), "images to label and --dataset and --model must be named"),
    ],
)
def test_images_and_embeddings_are_not_mixed(arrays, call, arguments, message):
    save(**arrays)
    Path("known.pkl").touch()
    with pytest.raises(InputError, match=message):
        call(*arguments)


def test_missing_files_are_named_with_their_option(arrays, call):
    with pytest.raises(DataError, match=r"no feature file none\.npz") as error:
        call("--features", save(**arrays), "--new-features", "none.npz")
    assert "--new-features" in error.value.hint


def test_a_single_class_is_told_by_its_name(arrays, call):
    with pytest.raises(InputError, match="all 30 train images have the class crow"):
        call("--features", save(**arrays | {"labels": np.full(30, "crow")}), "--method", "ncm")
