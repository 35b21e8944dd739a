"""Files of embeddings made of other files, whose numbers their hash does not cover."""

import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from lowlabel.datasets.io import hdf5, hdf5_trial
from lowlabel.errors import DataError, InputError
from lowlabel.features import load_feature_file
from lowlabel.features.embed import embedded_file
from lowlabel.features.made_elsewhere.train_file import with_train_features

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


@pytest.mark.slow
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
        with_train_features(embedded_file(tmp_path / "scored.npz"), tmp_path / "made.h5")


def test_a_file_to_learn_from_that_holds_what_is_scored_is_refused_or_said(tmp_path):
    np.savez(tmp_path / "scored.npz", features=X, labels=Y)
    scored = embedded_file(tmp_path / "scored.npz")
    hint = f"holds {len(X)} of the {len(X)} embeddings to score"
    for kept in (X, np.concatenate([X + 1, X])):
        np.savez(tmp_path / "same.npz", features=kept, labels=np.resize(Y, len(kept)))
        with pytest.raises(InputError, match=hint):
            with_train_features(scored, tmp_path / "same.npz")
    np.savez(tmp_path / "some.npz", features=np.concatenate([X[:1], X[1:] + 1]), labels=Y)
    with pytest.warns(UserWarning, match=rf"some\.npz holds 1 of the {len(X)} embeddings to score"):
        with_train_features(scored, tmp_path / "some.npz")


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


def never_written(file):
    file.create_dataset("features", (10**6, 10**6), "f8", chunks=(100, 100))


def named_type(file):
    file["features"] = np.dtype("f4")


def texts(file):
    file["features"] = np.array(["a"] * 4, dtype=object)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (never_written, "would need 8,000,000,000,000 bytes of memory"),
        (named_type, r"features in .* is a Datatype, not an array"),
        (texts, r"a\.h5: features are texts, not numbers"),
    ],
)
def test_what_is_no_array_of_its_size_is_refused(tmp_path, make, message):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        make(file)
        file["labels"] = Y
    with pytest.raises(DataError, match=message):
        load_feature_file(tmp_path / "a.h5")


@pytest.mark.parametrize("key", ["[" * 9_999, "run 7", 7, np.arange(3)])
def test_an_attribute_key_of_others_means_nothing(tmp_path, key):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["features"], file["labels"] = X, Y
        file.attrs["key"] = key
    assert load_feature_file(tmp_path / "a.h5").origin is None


@pytest.mark.slow
def test_a_zip_bomb_is_not_unpacked(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", features=np.zeros((1 << 15, 1 << 11)), labels=Y)
    with pytest.raises(DataError, match=r"features of .* would need 536,870,912 bytes of memory"):
        load_feature_file(tmp_path / "a.npz")


@pytest.mark.slow
def test_a_file_that_another_program_writes_is_waited_for(tmp_path, capsys):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["features"], file["labels"] = X, Y
    script = (
        "import h5py, sys, time; file = h5py.File(sys.argv[1], 'r+'); "
        "print(1, flush=True); time.sleep(1)"
    )
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        assert len(load_feature_file(path).evaluated.labels) == 4
    assert "Waiting for another program" in capsys.readouterr().out


def test_two_arrays_of_one_name_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, features=X, labels=Y)
    np.save(tmp_path / "labels.npy", Y[::-1])
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.write(tmp_path / "labels.npy", "labels.npy")
    with pytest.raises(DataError, match=r"holds two members named labels\.npy"):
        load_feature_file(path)


@pytest.mark.slow
def test_a_file_that_a_program_left_open_says_so(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["features"], file["labels"] = X, Y
    script = "import h5py, os, sys; file = h5py.File(sys.argv[1], 'r+'); os._exit(0)"
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    with pytest.raises(DataError, match=r"marked as open for writing(.|\n)*h5clear --status"):
        load_feature_file(path)


def test_no_program_begins_to_write_between_the_two_readings(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["features"], file["labels"] = X, Y

    def tried(*_: object) -> None:
        script = "import h5py, sys; h5py.File(sys.argv[1], 'r+')"
        command = [sys.executable, "-c", script, str(path)]
        ended = subprocess.run(command, capture_output=True, text=True)
        assert "BlockingIOError" in ended.stderr

    monkeypatch.setattr(hdf5, "read_apart", tried)
    assert len(load_feature_file(path).evaluated.labels) == 4


def test_an_attribute_that_takes_memory_is_refused_behind_one_that_is_damaged(tmp_path):
    path, first = tmp_path / "a.h5", "x" * 77
    with h5py.File(path, "w") as file:
        file["features"], file["labels"] = X, Y
        file.attrs["earlier"], file.attrs["key"] = first, "{}"
    data = bytearray(path.read_bytes())
    texts = data.index(b"GCOL")
    reference = data.index(struct.pack("<IQ", len(first), texts))
    data[reference + 4 : reference + 12] = struct.pack("<Q", 8)  # where no texts are
    reference = data.index(struct.pack("<IQ", len("{}"), texts))
    data[reference : reference + 4] = struct.pack("<I", 3 << 29)  # its length
    path.write_bytes(data)
    with pytest.raises(DataError, match="more than a gigabyte of memory"):
        load_feature_file(path)


def test_a_chunk_beyond_the_limit_of_memory_is_tried_too(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        noise = np.random.default_rng(0).integers(0, 256, (16, 1 << 21), np.uint8)
        file.create_dataset("features", data=noise, chunks=noise.shape, compression=1)
        file["labels"] = np.arange(16)
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import hdf5_trial\n"
        "hdf5_trial._MOST_BYTES = 8 << 20; hdf5_trial._limit_memory(); hdf5_trial.main()"
    )
    command = [sys.executable, "-I", "-c", code, str(Path(hdf5_trial.__file__).parent), str(path)]
    assert subprocess.check_output(command).split() == [b"0", b"0"], "one line for each array"
