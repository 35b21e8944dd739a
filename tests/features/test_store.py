"""The store survives kills, full disks and damaged files."""

import resource
import signal
import threading
import time

import h5py
import numpy as np
import pytest
from processes import start_code

from lowlabel.errors import DataError
from lowlabel.features import (
    FeatureKey,
    extract_features,
    feature_path,
    load_backbone,
)

pytestmark = pytest.mark.usefixtures("small_chunks")


def test_file_holds_its_key(backbone, images):
    extract_features(backbone, images)
    key = FeatureKey.of(backbone, images)
    with h5py.File(feature_path(key)) as file:
        assert file.attrs["key"] == key.json()
        assert list(file["paths"].asstr()) == list(images.paths)
        assert file["done"][()].tolist() == [1] * len(images)


EXTRACT = """
import os, signal, sys
from lowlabel.datasets import open_dataset
from lowlabel.features import ExtractionOptions, extract_features, load_backbone
from lowlabel.features import extract
extract.CHUNK_ROWS = 2
images = open_dataset("folder:" + sys.argv[1]).load("novel")
backbone = load_backbone("pixels", resolution=4)

def progress(done, _):
    print(done, flush=True)
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

extract_features(backbone, images, ExtractionOptions(2, 1), progress)
"""


NEVER = "-1"


def test_kill_9_loses_at_most_a_chunk(backbone, images, tmp_path, count_reads):
    key = FeatureKey.of(backbone, images)
    for at in (4, 10, 16):
        killed = start_code(EXTRACT, tmp_path / "log", images.root, at)
        assert killed.end()[0] == -signal.SIGKILL
        with h5py.File(feature_path(key).with_suffix(".partial")) as file:
            assert file["done"][()].sum() == at - 2  # the chunk that was being filled is lost
    read = count_reads(images)
    table = extract_features(backbone, images)
    assert read == list(images.paths[14:])
    feature_path(key).unlink()
    np.testing.assert_array_equal(table.features, extract_features(backbone, images).features)


def test_two_processes_never_extract_the_same(images, tmp_path):
    started = [start_code(EXTRACT, tmp_path / name, images.root, NEVER) for name in "ab"]
    codes, outputs = zip(*(command.end() for command in started), strict=True)
    assert codes == (0, 0)
    extracted = [output for output in outputs if f"{len(images)}\n" in output]
    assert len(extracted) == 1


def test_waiting_is_reported(backbone, images, capsys):
    from lowlabel.features.store import locked

    key = FeatureKey.of(backbone, images)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(key, "unused"):
            held.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    threading.Timer(0.3, release.set).start()
    started = time.monotonic()
    extract_features(backbone, images)
    thread.join()
    assert time.monotonic() - started >= 0.2
    assert "waiting for another process" in capsys.readouterr().out


def test_truncated_file_is_named(backbone, images):
    extract_features(backbone, images)
    path = feature_path(FeatureKey.of(backbone, images))
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(DataError) as caught:
        extract_features(backbone, images)
    assert str(path) in caught.value.message
    assert caught.value.hint.endswith(f"rm '{path}'")


def test_file_of_another_key_is_refused(backbone, images):
    extract_features(backbone, images)
    other = load_backbone("pixels", resolution=8)
    ours = feature_path(FeatureKey.of(backbone, images))
    ours.replace(feature_path(FeatureKey.of(other, images)))
    with pytest.raises(DataError, match="made with another model"):
        extract_features(other, images)


FULL_DISK = """
import resource, signal, sys
from lowlabel.datasets import open_dataset
from lowlabel.errors import DataError
from lowlabel.features import extract_features, load_backbone
images = open_dataset("folder:" + sys.argv[1]).load("novel")
backbone = load_backbone("pixels", resolution=32)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
try:
    extract_features(backbone, images)
except DataError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.parametrize("limit", [3_000, 200_000])
def test_full_disk_is_an_error_and_the_next_run_completes(images, tmp_path, limit):
    """A limit on the size of files makes writes fail as a full disk does."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    code, output = start_code(FULL_DISK, tmp_path / "log", images.root, limit).end()
    assert code == 2
    assert "Traceback" not in output
    assert "cannot write" in output
    assert "Make room" in output
    assert start_code(FULL_DISK, tmp_path / "log", images.root, 10**9).end() == (0, "")


def test_an_unwritable_home_is_an_error(backbone, images, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOWLABEL_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(DataError, match="cannot write to the folder"):
        extract_features(backbone, images)
