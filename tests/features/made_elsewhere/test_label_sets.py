"""Feature files whose rows have several labels each."""

import h5py
import numpy as np
import pytest

from lowlabel.errors import DataError, InputError
from lowlabel.features import embedded_file, load_feature_file, read_features_to_label
from lowlabel.features.made_elsewhere.train_file import with_train_features

MATRIX = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]])
LISTS = np.array([["cat", ""], ["cat", "dog"], [" emu", "emu "], ["", " "]])
X = np.eye(4, dtype=np.float32)


def saved(folder, kind, **arrays):
    if kind == "npz":
        np.savez(folder / "a.npz", **arrays)
        return folder / "a.npz"
    with h5py.File(folder / "a.h5", "w") as file:
        for name, array in arrays.items():
            text = array.dtype.kind == "U"
            dtype = h5py.string_dtype() if text and kind == "vlen" else None
            file.create_dataset(name, data=array.astype("S") if text else array, dtype=dtype)
    return folder / "a.h5"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["npz", "fixed", "vlen"])
@pytest.mark.parametrize(
    "labels", [MATRIX, MATRIX.astype(bool), MATRIX.astype(float), MATRIX.astype(np.uint8), LISTS]
)
def test_a_matrix_and_lists_are_sets_of_labels(labels, kind, tmp_path):
    data = embedded_file(saved(tmp_path, kind, features=X, labels=labels))
    assert data.several_labels
    names = ("cat", "dog", "emu") if labels.dtype.kind == "U" else ("0", "1", "2")
    assert data.label_sets.names == names
    np.testing.assert_array_equal(data.label_sets["all"], MATRIX.astype(bool))


def test_parts_share_their_labels(tmp_path):
    base = LISTS[::-1].copy()
    base[0] = "gnu", "cat"
    path = saved(tmp_path, "npz", features=X, labels=LISTS, base_features=X, base_labels=base)
    data = embedded_file(path)
    assert data.label_sets.names == ("cat", "dog", "emu", "gnu")
    np.testing.assert_array_equal(data.label_sets["all"][:, :3], MATRIX.astype(bool))
    expected = [[1, 0, 0, 1], [0, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]
    np.testing.assert_array_equal(data.label_sets["base"], np.array(expected, bool))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"labels": 2 * MATRIX}, r"labels are int64 \[4, 3\] with other values than 0 and 1"),
        ({"labels": MATRIX + 0.5}, "with other values than 0 and 1"),
        ({"labels": np.where(MATRIX, np.nan, 0.0)}, "with other values than 0 and 1"),
        ({"labels": MATRIX - 1}, "with other values than 0 and 1"),
        ({"labels": MATRIX.T}, r"features have the shape \(4, 4\), labels \(3, 4\)"),
        ({"labels": MATRIX[:, :1]}, r"labels \(4, 1\)"),
        ({"labels": MATRIX[:, :0]}, r"labels \(4, 0\)"),
        ({"labels": MATRIX[..., None]}, r"labels \(4, 3, 1\)"),
        ({"labels": MATRIX.astype(complex)}, "complex128"),
        ({"labels": np.array([["a|b", "c"]] * 4)}, "which joins several labels"),
        ({"labels": MATRIX.astype(str)}, "a flag for each class"),
        (
            {"labels": MATRIX, "base_features": X, "base_labels": MATRIX[:, :2]},
            r"base_labels int64 \[4, 2\] are not of the form of labels int64 \[4, 3\]",
        ),
        (
            {"labels": MATRIX, "base_features": X, "base_labels": np.arange(4)},
            r"base_labels int64 \[4\] are not of the form of labels",
        ),
        (
            {"labels": np.arange(4), "base_features": X, "base_labels": MATRIX},
            r"base_labels int64 \[4, 3\] are not of the form of labels",
        ),
        ({"labels": LISTS, "base_features": X, "base_labels": MATRIX}, "not of the form"),
    ],
)
def test_what_is_no_set_of_labels_is_refused(more, message, tmp_path):
    with pytest.raises(DataError, match=message):
        load_feature_file(saved(tmp_path, "npz", features=X, **more))


def files(tmp_path, known, train):
    np.savez(tmp_path / "test.npz", features=X, labels=known)
    np.savez(tmp_path / "train.npz", features=2 * X, labels=train)
    return embedded_file(tmp_path / "test.npz"), tmp_path / "train.npz"


def test_names_of_two_files_are_numbered_together(tmp_path):
    known, train = np.array(["b", "c", "b", "c"]), np.array(["a", "b", "c", "d"])
    data = with_train_features(*files(tmp_path, known, train))
    found = {part: np.array(data.class_names)[t.labels] for part, t in data.tables.items()}
    np.testing.assert_array_equal(found["all"], known)
    np.testing.assert_array_equal(found["train"], train)


def test_sets_of_two_files_are_numbered_together(tmp_path):
    data = with_train_features(*files(tmp_path, MATRIX, MATRIX[::-1]))
    np.testing.assert_array_equal(data.label_sets["all"], MATRIX.astype(bool))
    np.testing.assert_array_equal(data.label_sets["train"], MATRIX[::-1].astype(bool))


@pytest.mark.parametrize(
    ("known", "train", "message"),
    [
        (MATRIX, np.arange(4), "has numbers as labels, the .* have several labels of each row"),
        (np.arange(4), np.array([*"abcd"]), "has texts as labels, the .* have numbers as labels"),
    ],
)
def test_labels_of_another_form_are_refused(known, train, message, tmp_path):
    with pytest.raises(InputError, match=message):
        with_train_features(*files(tmp_path, known, train))


def test_predict_needs_one_label(tmp_path):
    path = saved(tmp_path, "npz", features=X, labels=MATRIX, new_features=X)
    with pytest.raises(InputError, match="predict gives one to each image"):
        read_features_to_label(path)


@pytest.mark.parametrize("name", ["a.npz", "a.h5"])
def test_a_file_to_label_is_opened_once(name, tmp_path, monkeypatch):
    arrays = {"features": X, "labels": np.arange(4) % 2, "new_features": X}
    arrays |= {"groups": np.arange(4), "new_paths": np.arange(4)}
    path = saved(tmp_path, "npz" if name == "a.npz" else "fixed", **arrays)
    opened = []
    for place in ("read_npz", "open_hdf5"):
        whole = f"lowlabel.features.array_file.{place}"
        module = __import__("lowlabel.features.array_file", fromlist=[place])
        original = getattr(module, place)
        monkeypatch.setattr(
            whole, lambda *a, original=original, **k: (opened.append(a), original(*a, **k))[1]
        )
    found = read_features_to_label(path)
    assert len(opened) == 1
    assert found.new_paths == ("0", "1", "2", "3")
