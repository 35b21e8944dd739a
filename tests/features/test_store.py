import dataclasses
import json
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from lowlabel.datasets import DATASETS, ImageSet, open_dataset
from lowlabel.errors import DataError, InputError
from lowlabel.features import (
    Backbone,
    ExtractionOptions,
    FeatureKey,
    extract_features,
    feature_path,
    load_backbone,
)
from lowlabel.features import extract as extract_module

TINY = "random:vit_tiny_patch16_224,img_size=16,patch_size=8,depth=1"


@pytest.fixture
def images(image_folder: Path) -> ImageSet:
    return open_dataset(f"folder:{image_folder}").load("novel")


@pytest.fixture
def backbone() -> Backbone:
    return load_backbone("pixels", resolution=4)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract_module, "CHUNK_ROWS", 4)


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes every image that is decoded."""
    read, decode = [], extract_module._Extraction._decode

    def noting(self, row):
        read.append(self.images.paths[row])
        return decode(self, row)

    monkeypatch.setattr(extract_module._Extraction, "_decode", noting)
    return read


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (3, 2), (64, 4)])
def test_features_equal_a_plain_loop(backbone, images, batch_size, workers):
    table = extract_features(backbone, images, ExtractionOptions(batch_size, workers))
    mean, std = np.array(backbone.transform.mean), np.array(backbone.transform.std)
    for row, path in enumerate(images.paths):
        pixels = backbone.transform.read(images.root / path) / 255
        expected = ((pixels - mean) / std).transpose(2, 0, 1).ravel()
        np.testing.assert_allclose(table.features[row], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(table.labels, images.labels)


def test_another_version_of_made_images_is_extracted_anew(backbone, images, monkeypatch):
    first = extract_features(backbone, images)
    read = count_reads(monkeypatch)
    redrawn = dataclasses.replace(images, version=2)
    assert redrawn.manifest_sha256 == images.manifest_sha256
    assert extract_features(backbone, redrawn).key != first.key
    assert read == list(images.paths)


def test_images_of_no_version_keep_their_key(backbone, images):
    assert "version" not in FeatureKey.of(backbone, images).json()
    demo = open_dataset("demo").load("val")
    assert demo.version == demo.only([3]).version == DATASETS["demo"].version > 0
    assert json.loads(FeatureKey.of(backbone, demo).json())["version"] == demo.version


def test_second_run_reads_the_file_and_no_image(backbone, images, monkeypatch):
    first = extract_features(backbone, images)
    read = count_reads(monkeypatch)
    second = extract_features(backbone, images)
    np.testing.assert_array_equal(first.features, second.features)
    assert (read, first.key) == ([], second.key)


def test_file_says_what_it_was_made_from(backbone, images):
    extract_features(backbone, images)
    key = FeatureKey.of(backbone, images)
    with h5py.File(feature_path(key)) as file:
        assert file.attrs["key"] == key.json()
        assert list(file["paths"].asstr()) == list(images.paths)
        assert file["done"][()].tolist() == [1] * len(images)


def test_key_changes_with_everything_that_changes_features(images):
    backbone = load_backbone(TINY)
    part = open_dataset(f"folder:{images.root}").load("val")
    changed = [
        load_backbone(f"{TINY},seed=1"),
        load_backbone(TINY, pooling="mean"),
        load_backbone(TINY, dtype="bfloat16"),
        load_backbone(TINY.replace("img_size=16", "img_size=24")),
        dataclasses.replace(
            backbone, transform=dataclasses.replace(backbone.transform, interpolation="bilinear")
        ),
    ]
    keys = [FeatureKey.of(other, images) for other in [backbone, *changed]]
    keys.append(FeatureKey.of(backbone, part))
    assert len({key.digest for key in keys}) == len(keys)
    assert len({feature_path(key) for key in keys}) == len(keys)


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


def test_kill_9_loses_at_most_a_chunk(backbone, images, monkeypatch):
    key = FeatureKey.of(backbone, images)
    for at in (4, 10, 16):
        command = [sys.executable, "-c", EXTRACT, str(images.root), str(at)]
        assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == -signal.SIGKILL
        with h5py.File(feature_path(key).with_suffix(".partial")) as file:
            assert file["done"][()].sum() == at - 2  # the chunk that was being filled is lost
    read = count_reads(monkeypatch)
    table = extract_features(backbone, images)
    assert read == list(images.paths[14:])
    feature_path(key).unlink()
    np.testing.assert_array_equal(table.features, extract_features(backbone, images).features)


def test_two_processes_share_the_waiting(images):
    commands = [[sys.executable, "-c", EXTRACT, str(images.root), NEVER] for _ in range(2)]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands
    ]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    extracted = [output for output in outputs if f"{len(images)}\n" in output]
    assert len(extracted) == 1


def test_waiting_is_said(backbone, images, capsys):
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


def test_corrupt_images_are_all_listed_and_stop_the_run(backbone, images, monkeypatch):
    (images.root / images.paths[1]).write_bytes(b"no image")
    whole = (images.root / images.paths[9]).read_bytes()
    (images.root / images.paths[9]).write_bytes(whole[: len(whole) // 2])
    images = dataclasses.replace(images)
    with pytest.raises(DataError, match="2 of 18 images") as caught:
        extract_features(backbone, images)
    assert images.paths[1] in caught.value.message
    assert images.paths[9] in caught.value.message
    assert "--skip-bad-images" in caught.value.hint

    read = count_reads(monkeypatch)
    table = extract_features(backbone, images, ExtractionOptions(skip_bad_images=True))
    assert read == []  # what was extracted before was kept
    assert table.bad_images == (images.paths[1], images.paths[9])
    assert table.features.shape == (16, 48)
    np.testing.assert_array_equal(table.labels, np.delete(images.labels, [1, 9]))
    with pytest.raises(DataError, match="2 of 18 images"):
        extract_features(backbone, images)


def test_corrupt_jpeg(tmp_path, backbone):
    from PIL import Image

    folder = tmp_path / "jpegs" / "a"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "good.jpg")
    (folder / "bad.jpg").write_bytes((folder / "good.jpg").read_bytes()[:-2000])
    images = open_dataset(f"folder:{tmp_path / 'jpegs'}").load("all")
    with pytest.raises(DataError, match=r"1 of 2 images.*\n  a/bad\.jpg"):
        extract_features(backbone, images)


def test_features_that_are_not_finite_are_refused(backbone, images, monkeypatch):
    embed = Backbone.embed
    monkeypatch.setattr(Backbone, "embed", lambda self, pixels: embed(self, pixels) / 0)
    with pytest.raises(DataError, match=r"not finite for 4 images, the first novel/novel0/0\.png"):
        extract_features(backbone, images)


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
    with pytest.raises(DataError, match="made from another model"):
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
def test_full_disk_is_said_and_the_next_run_completes(images, limit):
    """A limit on the size of files makes writes fail as a full disk does."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    command = [sys.executable, "-c", FULL_DISK, str(images.root)]
    failed = subprocess.run([*command, str(limit)], capture_output=True, text=True)
    assert (failed.returncode, failed.stderr) == (2, "")
    assert "cannot write" in failed.stdout
    assert "Make room" in failed.stdout
    again = subprocess.run([*command, str(10**9)], capture_output=True, text=True)
    assert (again.returncode, again.stdout) == (0, "")


def test_unwritable_home(backbone, images, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOWLABEL_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(DataError, match="cannot write to the folder"):
        extract_features(backbone, images)


def test_options_are_checked():
    with pytest.raises(InputError, match="batch_size must be at least 1, not 0"):
        ExtractionOptions(batch_size=0)
