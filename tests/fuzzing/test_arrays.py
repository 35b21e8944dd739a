"""Files of arrays: .npz, .h5 and pickles, given or of the feature store."""

import pickle

import h5py
import numpy as np
import pytest

from lowlabel.datasets.io import apart
from lowlabel.features import load_feature_file

pytestmark = pytest.mark.fuzz
ARRAYS = {"features": np.eye(6, 5, dtype=np.float32), "labels": np.arange(6) % 3}


def written_npz(path):
    np.savez_compressed(path, **ARRAYS)


def written_h5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=ARRAYS["features"], chunks=(2, 5), compression="gzip")
        file["group/x"] = ARRAYS["labels"]
        file["labels"] = h5py.SoftLink("/group/x")
        file.attrs["key"] = '{"model": "x"}'


def written_pickle(path):
    by_class = {0: ARRAYS["features"], 1: [ARRAYS["features"][0], ARRAYS["features"][1]]}
    path.write_bytes(pickle.dumps(by_class, 2))


@pytest.mark.parametrize(("name", "write"), [("a.npz", written_npz), ("a.pkl", written_pickle)])
def test_feature_files(tmp_path, attack, name, write):
    write(tmp_path / name)
    assert attack(tmp_path / name, load_feature_file, inside=name == "a.npz")


def test_hdf5_files(tmp_path, attack, monkeypatch):
    monkeypatch.setattr(apart, "_PATIENCE_S", 5)
    written_h5(tmp_path / "a.h5")
    attack(tmp_path / "a.h5", load_feature_file, share=0.2)  # each starts a process
