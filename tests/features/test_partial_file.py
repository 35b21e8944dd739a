"""One failed or lost write, at any call, never ends in other values."""

import errno
import io
import os
import resource
import signal
from itertools import count
from pathlib import Path

import h5py
import numpy as np
import pytest

from lowlabel.errors import DataError
from lowlabel.features import FeatureKey, extract_features, feature_path
from lowlabel.features.partial_file import PartialFile

pytestmark = pytest.mark.usefixtures("small_chunks")


class Disk:
    """Fails or loses the `at`-th call that writes, reserves, flushes or renames in the store."""

    def __init__(self, monkeypatch, at, lose):
        self.at, self.lose, self.calls = at, lose, 0
        opened, fsync, renamed, disk = Path.open, os.fsync, Path.replace, self

        class Raw(io.FileIO):
            def write(self, data):
                return len(data) if disk.call() else super().write(data)

            def truncate(self, size=None):
                return size if disk.call() else super().truncate(size)

        def open_flaky(path, mode="r", *args, **kwargs):
            if path.parent.name == "features" and mode == "r+b":
                return io.BufferedRandom(Raw(path, "r+"))
            return opened(path, mode, *args, **kwargs)

        def rename(path, target):
            return disk.call(silent=False) or renamed(path, target)

        monkeypatch.setattr(Path, "open", open_flaky)
        monkeypatch.setattr(Path, "replace", rename)
        monkeypatch.setattr(os, "fsync", lambda file: disk.call(silent=False) or fsync(file))
        reserve = os.posix_fallocate
        monkeypatch.setattr(
            os, "posix_fallocate", lambda *sizes: disk.call(silent=False) or reserve(*sizes)
        )

    def call(self, silent=True):
        """Whether this call is lost; an error in its place where errors are wanted."""
        self.calls += 1
        if self.calls - 1 != self.at:
            return False
        if self.lose and silent:
            return True
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.slow
@pytest.mark.parametrize("lose", [False, True], ids=["fails", "is lost"])
def test_one_write_that(lose, backbone, images, home, monkeypatch):
    expected = extract_features(backbone, images)
    path = feature_path(FeatureKey.of(backbone, images))
    failed = 0
    for at in count():
        path.unlink()
        with monkeypatch.context() as patched:
            disk = Disk(patched, at, lose)
            try:
                table = extract_features(backbone, images)
                np.testing.assert_array_equal(table.features, expected.features)
                np.testing.assert_array_equal(table.labels, expected.labels)
            except DataError:
                failed += 1
        again = extract_features(backbone, images)
        np.testing.assert_array_equal(again.features, expected.features)
        np.testing.assert_array_equal(again.labels, expected.labels)
        assert not list(home.rglob("*.tmp"))
        if at > disk.calls:
            break
    assert failed > 20


def test_a_disk_that_is_full_at_any_size_is_an_error(backbone, images):
    expected = extract_features(backbone, images)
    path = feature_path(FeatureKey.of(backbone, images))
    size = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for limit in range(0, size, 500):
            path.unlink(missing_ok=True)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            with pytest.raises(DataError, match=r"cannot write .*\nMake room"):
                extract_features(backbone, images)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    np.testing.assert_array_equal(extract_features(backbone, images).features, expected.features)


def test_a_block_that_was_changed_is_extracted_again(backbone, images, capsys, count_reads):
    key = FeatureKey.of(backbone, images)
    expected = extract_features(backbone, images)
    partial = feature_path(key).rename(feature_path(key).with_suffix(".partial"))
    content = bytearray(partial.read_bytes())
    with h5py.File(partial) as file:
        content[file["features"].id.get_offset() + 4 * 48 * 6] ^= 64
    partial.write_bytes(content)
    read = count_reads(images)
    table = extract_features(backbone, images)
    assert read == list(images.paths[4:8])
    assert "4 rows in" in capsys.readouterr().out
    np.testing.assert_array_equal(table.features, expected.features)


def test_of_two_writers_without_working_locks_one_stops(backbone, images):
    key = FeatureKey.of(backbone, images)
    feature_path(key).parent.mkdir(parents=True)
    features, good = np.ones((4, 48), np.float32), np.zeros(4, bool)
    first, second = (PartialFile(key, images, 4) for _ in range(2))
    first.write(first.pending()[0][0], features, good)
    assert second.pending()[0] == range(4, 8)
    with pytest.raises(DataError, match="another process writes"):
        first.write(4, features, good)
    second.write(4, features, good)
    with pytest.raises(DataError, match="another process writes"):
        first.finish()
