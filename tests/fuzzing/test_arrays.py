"""Files of arrays: .npz, .h5 and pickles, given or of the feature store."""

import pickle
import shutil

import h5py
import numpy as np
import pytest
from PIL import Image

from lowlabel.cli import main
from lowlabel.datasets.io import apart
from lowlabel.features import load_feature_file
from lowlabel.features.store_before import read_before
from lowlabel.features.store_file import StoreFile
from lowlabel.features.table import stored_table
from lowlabel.paths import features_dir

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


@pytest.fixture
def stored(tmp_path):
    """A file of the feature store, in a folder of its own."""
    for number in range(6):
        folder = tmp_path / "images" / f"class{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (40 * number, 0, 0)).save(folder / f"{number}.png")
    images = f"folder:{tmp_path / 'images'}"
    with pytest.raises(SystemExit) as ended:
        main(["extract", "--model", "pixels", "--resolution", "8", "--dataset", images])
    assert not ended.value.code
    (written,) = features_dir().glob("*.h5")
    return shutil.copy(written, tmp_path / "stored.h5")


def test_files_of_the_store(stored, attack):
    def read(path):
        with StoreFile(path, None) as file:
            stored_table(file, "")

    assert attack(stored, read)


def test_files_of_the_store_given_as_features(stored, attack, monkeypatch):
    monkeypatch.setattr(apart, "_PATIENCE_S", 5)
    assert attack(stored, load_feature_file, share=0.2)  # most start a process


def test_files_of_the_store_of_an_earlier_version(tmp_path, attack, monkeypatch):
    monkeypatch.setattr(apart, "_PATIENCE_S", 5)
    with h5py.File(tmp_path / "before.h5", "w") as file:
        file.attrs.update(schema=1, key="{}")
        file["features"], file["labels"] = ARRAYS["features"], ARRAYS["labels"]
        file["done"] = np.ones(6, np.uint8)
        file.create_dataset("paths", data=list("abcdef"), dtype=h5py.string_dtype())
    assert attack(tmp_path / "before.h5", lambda path: read_before(path, "{}"), share=0.2)
