import pickle
import re
import tracemalloc

import h5py
import numpy as np
import pytest

from lowlabel.errors import DataError, InputError
from lowlabel.features import load_feature_file
from lowlabel.features.made_elsewhere.feature_file import ArrayNames

ARRAYS = {
    "features": np.eye(4, dtype=np.float32),
    "labels": np.arange(4),
    "base_features": np.ones((2, 4)),
    "base_labels": np.array([7, 8]),
}


def test_npz_and_h5_read_the_same(tmp_path):
    np.savez(tmp_path / "a.npz", **ARRAYS)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, array in ARRAYS.items():
            file[name] = array
    for name in ("a.npz", "a.h5"):
        loaded = load_feature_file(tmp_path / name)
        np.testing.assert_array_equal(loaded.evaluated.features, ARRAYS["features"])
        np.testing.assert_array_equal(loaded.evaluated.labels, ARRAYS["labels"])
        assert loaded.base is not None
        np.testing.assert_array_equal(loaded.base.labels, [7, 8])


def test_base_is_optional(tmp_path):
    np.savez(tmp_path / "a.npz", features=np.eye(2), labels=[0, 1])
    assert load_feature_file(tmp_path / "a.npz").base is None


def test_nothing_is_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", features=np.array([{}], dtype=object), labels=[0])
    with pytest.raises(DataError, match=r"a\.npz: features holds Python objects"):
        load_feature_file(tmp_path / "a.npz")


def test_labels_that_are_python_objects_are_read_once_they_are_saved_as_the_error_says(tmp_path):
    labels = np.array(["ant", "bumblebee"], dtype=object)
    np.savez(tmp_path / "a.npz", features=np.eye(2), labels=labels)
    with pytest.raises(
        DataError, match=r"labels holds Python objects[^;]*\n.*labels\.astype\(str\)"
    ):
        load_feature_file(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", features=np.eye(2), labels=labels.astype(str))
    assert load_feature_file(tmp_path / "a.npz").evaluated.labels.tolist() == [0, 1]


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="no feature file"):
        load_feature_file(tmp_path / "none.npz")
    np.savez(tmp_path / "a.npz", features=np.eye(2), base_features=np.eye(2))
    with pytest.raises(DataError, match="no array labels; it has: features, base_features"):
        load_feature_file(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", X=np.eye(2), y=[0, 1])
    with pytest.raises(DataError, match="no array features and no labels; it has: X, y"):
        load_feature_file(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", features=np.eye(2), labels=[0.5, 1.5])
    with pytest.raises(DataError, match=r"a\.npz: labels are float64, not integers") as error:
        load_feature_file(tmp_path / "a.npz")
    assert "numpy.unique" in error.value.hint
    (tmp_path / "a.csv").write_text("1,2")
    with pytest.raises(DataError, match=r"neither \.npz nor \.h5"):
        load_feature_file(tmp_path / "a.csv")
    np.save(tmp_path / "a.npy", np.eye(2))
    with pytest.raises(DataError, match=r"neither \.npz nor \.h5") as error:
        load_feature_file(tmp_path / "a.npy")
    assert 'features=numpy.load("a.npy")' in error.value.hint
    for name in ("cut.npz", "cut.h5"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 cut")
        with pytest.raises(DataError, match="cannot be read"):
            load_feature_file(tmp_path / name)


@pytest.mark.parametrize("shape", [(6,), (0, 4), (6, 0), (6, 2, 2), ()])
def test_features_that_are_no_table_are_refused(tmp_path, shape):
    np.savez(tmp_path / "a.npz", features=np.ones(shape), labels=np.zeros(shape[:1], np.int64))
    with pytest.raises(DataError, match=re.escape(f"shape {shape}, not [images, dimensions]")):
        load_feature_file(tmp_path / "a.npz")


@pytest.mark.parametrize("kind", ["U9", "S9", object])
def test_texts_are_numbered_together_in_their_order(tmp_path, kind):
    arrays = {
        "features": np.eye(3, dtype=np.float32),
        "labels": np.array(["zebra", "ant", "ant"], dtype=kind),
        "gallery_features": np.eye(3, dtype=np.float32)[:2],
        "gallery_labels": np.array(["bee", "zebra"], dtype=kind),
    }
    with h5py.File(tmp_path / "a.H5", "w") as file:
        for name, array in arrays.items():
            file[name] = array.astype("S9") if array.dtype.kind == "U" else array
    files = [tmp_path / "a.H5"]
    if kind is not object:
        np.savez(tmp_path / "a.npz", **arrays)
        files.append((tmp_path / "a.npz").rename(tmp_path / "a.NPZ"))
    for path in files:
        loaded = load_feature_file(path)
        assert loaded.evaluated.labels.tolist() == [2, 0, 0]
        assert loaded.gallery is not None
        assert loaded.gallery.labels.tolist() == [1, 2]


def test_texts_beside_integers_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", **ARRAYS | {"labels": ["a", "b", "c", "d"]})
    with pytest.raises(DataError, match="base_labels are int64, not texts as those of the other"):
        load_feature_file(tmp_path / "a.npz")


@pytest.mark.parametrize("empty", ["", " "])
def test_empty_texts_are_no_class(empty, tmp_path):
    features = np.eye(3, dtype=np.float32)
    np.savez(tmp_path / "a.npz", features=features, labels=["a", empty, "b"])
    with pytest.raises(DataError, match=r"a\.npz: 1 of 3 labels are empty"):
        load_feature_file(tmp_path / "a.npz")


def test_a_label_as_long_as_a_book_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["features"] = np.eye(4, dtype=np.float32)
        file["labels"] = np.array(["x" * 5000] + ["y"] * 3, dtype=object)
    with pytest.raises(DataError, match=r"labels of .* are as long as 5,000 characters"):
        load_feature_file(tmp_path / "a.h5")


def test_other_names_are_chosen_and_belong_to_the_identity(tmp_path):
    np.savez(tmp_path / "a.npz", X=2 * np.eye(4), y=np.arange(4), base_X=np.eye(4), base_y=[1] * 4)
    keys = {
        text: load_feature_file(tmp_path / "a.npz", ArrayNames.parse(text)).evaluated.key
        for text in ("X,y", "base_X,base_y")
    }
    assert len(set(keys.values())) == 2
    file = load_feature_file(tmp_path / "a.npz", ArrayNames.parse("X,y"))
    np.testing.assert_array_equal(file.evaluated.features, 2 * np.eye(4))
    assert file.base is not None
    for text in ("", ",y", "X,y,z"):
        with pytest.raises(InputError, match="is not FEATURES or FEATURES,LABELS"):
            ArrayNames.parse(text)


@pytest.mark.parametrize("suffix", ["npz", "h5", "pkl"])
def test_halves_become_float32_as_they_are_read(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr("lowlabel.npz._BLOCK", 2**16)
    halves = np.random.default_rng(0).normal(size=(4096, 512)).astype(np.float16)
    path, labels = tmp_path / f"a.{suffix}", np.repeat(np.arange(4), 1024)
    if suffix == "npz":
        np.savez(path, features=halves, labels=labels)
    elif suffix == "h5":
        with h5py.File(path, "w") as file:
            file["features"], file["labels"] = halves, labels
    else:
        path.write_bytes(pickle.dumps(dict(enumerate(np.split(halves, 4)))))
    tracemalloc.start()
    table = load_feature_file(path).evaluated
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert table.features.dtype == np.float32
    np.testing.assert_array_equal(table.features, halves)
    np.testing.assert_array_equal(table.labels, labels)
    held = halves.nbytes if suffix == "pkl" else 0  # by the pickle
    assert peak < table.features.nbytes + held + 2**22


def test_a_checksum_holds_for_halves_too(tmp_path):
    np.savez(tmp_path / "a.npz", features=np.ones((64, 32), np.float16), labels=np.arange(64))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[1000] ^= 1
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(DataError, match="Bad CRC-32"):
        load_feature_file(tmp_path / "a.npz")


@pytest.mark.parametrize("suffix", ["npz", "h5", "pkl"])
@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.array([[1.0, np.nan], [1, 2], [np.inf, 0]]), "2 of 3 rows of features hold NaN"),
        (np.arange(6).reshape(3, 2), "features are int64, not floats"),
        (np.ones((3, 2), bool), "features are bool, not floats|class 0 holds bool"),
    ],
)
def test_what_is_wrong_with_the_numbers_names_the_file(tmp_path, suffix, features, message):
    path = tmp_path / f"mine.{suffix}"
    if suffix == "npz":
        np.savez(path, features=features, labels=[0, 0, 1])
    elif suffix == "h5":
        with h5py.File(path, "w") as file:
            file["features"], file["labels"] = features, [0, 0, 1]
    else:
        path.write_bytes(pickle.dumps({0: features}))
    with pytest.raises(DataError, match=rf"mine\.{suffix}: ({message})"):
        load_feature_file(path)


@pytest.mark.parametrize("shape", [(), (3, 1), (2,), (0,)])
def test_labels_that_are_not_one_for_each_row_are_refused(tmp_path, shape):
    np.savez(tmp_path / "a.npz", features=np.ones((3, 2)), labels=np.zeros(shape, int))
    with pytest.raises(DataError, match=r"a\.npz: features have the shape"):
        load_feature_file(tmp_path / "a.npz")
