import h5py
import numpy as np
import pytest

from lowlabel.errors import DataError
from lowlabel.features import load_feature_file

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


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="no feature file"):
        load_feature_file(tmp_path / "none.npz")
    np.savez(tmp_path / "a.npz", features=np.eye(2), base_features=np.eye(2))
    with pytest.raises(DataError, match="no array labels; it has: features, base_features"):
        load_feature_file(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", X=np.eye(2), y=[0, 1])
    with pytest.raises(DataError, match="no array features and no labels; it has: X, y"):
        load_feature_file(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", features=np.eye(2), labels=["cat", "dog"])
    with pytest.raises(DataError, match=r"a\.npz: labels are <U3, not integers") as error:
        load_feature_file(tmp_path / "a.npz")
    assert "numpy.unique" in error.value.hint
    (tmp_path / "a.csv").write_text("1,2")
    with pytest.raises(DataError, match=r"neither \.npz nor \.h5"):
        load_feature_file(tmp_path / "a.csv")
    for name in ("cut.npz", "cut.h5"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 cut")
        with pytest.raises(DataError, match="cannot be read"):
            load_feature_file(tmp_path / name)
