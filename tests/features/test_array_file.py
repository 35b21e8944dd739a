"""Files of embeddings made of other files, whose numbers their hash does not cover."""

import h5py
import numpy as np
import pytest

from lowlabel.errors import DataError
from lowlabel.features import load_feature_file
from lowlabel.features.embed import embedded_file

X, Y = np.eye(4, dtype=np.float32), np.arange(4)


@pytest.fixture
def other(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["group/x"] = X
    return tmp_path / "other.h5"


def linked(file, other):
    file["features"] = h5py.ExternalLink(other.name, "/group/x")


def linked_group(file, other):
    file["outside"] = h5py.ExternalLink(other.name, "/group")
    file["features"] = h5py.SoftLink("/outside/x")


def missing(file, other):
    file["features"] = h5py.ExternalLink("gone.h5", "/x")


def dangling(file, other):
    file["features"] = h5py.SoftLink("/nowhere/x")


def endless(file, other):
    file["one"], file["two"] = h5py.SoftLink("/two"), h5py.SoftLink("/one")
    file["features"] = h5py.SoftLink("/one")


def virtual(file, other):
    layout = h5py.VirtualLayout(X.shape, X.dtype)
    layout[:] = h5py.VirtualSource(other.name, "group/x", X.shape)
    file.create_virtual_dataset("features", layout)


def stored_outside(file, other):
    raw = other.with_name("raw.bin")
    raw.write_bytes(X.tobytes())
    file.create_dataset("features", X.shape, X.dtype, external=[(str(raw), 0, X.nbytes)])


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (linked, "it links to .*other.h5"),
        (linked_group, "it links to .*other.h5"),
        (missing, "it links to gone.h5"),
        (dangling, "it links to /nowhere/x, which cannot be opened"),
        (endless, "it links to /one, which cannot be opened"),
        (virtual, "it is a virtual dataset over other.h5"),
        (stored_outside, "it is stored in .*raw.bin"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "base_", "gallery_"])
def test_numbers_that_lie_in_another_file_are_refused(tmp_path, other, make, where, prefix):
    with h5py.File(tmp_path / "made.h5", "w") as file:
        make(file, other)
        file.move("features", "held")
        file["labels"] = Y
        file.move("held", f"{prefix}features")
        if prefix:
            file["features"], file[f"{prefix}labels"] = X, Y
    with pytest.raises(DataError, match=where) as caught:
        load_feature_file(tmp_path / "made.h5")
    assert f"made.h5 does not hold the numbers of {prefix}features" in caught.value.message
    assert "Copy every array into one file" in caught.value.hint


def test_files_to_learn_from_are_refused_alike(tmp_path, other):
    np.savez(tmp_path / "scored.npz", features=X, labels=Y)
    with h5py.File(tmp_path / "made.h5", "w") as file:
        virtual(file, other)
        file["labels"] = Y
    with pytest.raises(DataError, match="virtual dataset"):
        embedded_file(tmp_path / "scored.npz").with_train_features(tmp_path / "made.h5")


def test_links_within_the_file_are_read(tmp_path):
    with h5py.File(tmp_path / "made.h5", "w") as file:
        file["group/x"], file["labels"] = X, Y
        file["inside"] = h5py.SoftLink("/group")
        file["features"] = h5py.SoftLink("/inside/x")
    loaded = load_feature_file(tmp_path / "made.h5")
    np.testing.assert_array_equal(loaded.evaluated.features, X)


def test_a_group_in_place_of_an_array_is_named(tmp_path):
    with h5py.File(tmp_path / "made.h5", "w") as file:
        file["features/x"], file["labels"] = X, Y
    with pytest.raises(DataError, match=r"features in .*made\.h5 is a group that holds x"):
        load_feature_file(tmp_path / "made.h5")


@pytest.mark.parametrize("key", ["run 7", 7, "[1]", np.arange(3)])
def test_an_attribute_of_someone_else_is_no_key_of_the_store(tmp_path, key):
    with h5py.File(tmp_path / "made.h5", "w") as file:
        file["features"], file["labels"] = X, Y
        file.attrs["key"] = key
    assert load_feature_file(tmp_path / "made.h5").origin is None
