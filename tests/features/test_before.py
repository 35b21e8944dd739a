"""A feature store made by an earlier version is found again, and holds today's features."""

import os
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lowlabel.datasets import Box, ImageSet, open_dataset
from lowlabel.features import Backbone, FeatureKey, extract_features, feature_path, load_backbone
from lowlabel.features.store_before import read_before
from lowlabel.features.transforms import ImageTransform

ARCHIVE = Path(__file__).parent.parent / "data/before/store/birds.zip"
PARTS = {"base": 24, "val": 24, "novel": 24}  # images


@pytest.fixture
def birds(tmp_path: Path, home: Path) -> dict[str, ImageSet]:
    """The parts of the dataset, whose stored features `home` holds, newer than the images."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    stored = list((home / "features").iterdir())
    assert len(stored) == len(PARTS)
    for path in stored:
        os.utime(path, (time.time() + 3600,) * 2)
    opened = open_dataset(f"folder:{tmp_path / 'birds'}")
    return {part: opened.load(part) for part in PARTS}


@pytest.fixture
def backbone() -> Backbone:
    return load_backbone("pixels", resolution=2)


@pytest.fixture
def reads(monkeypatch) -> list[Path]:
    """The images that were decoded."""
    decoded: list[Path] = []
    read = ImageTransform.read

    def counting(self: ImageTransform, path: Path, box: Box | None = None) -> NDArray[np.uint8]:
        decoded.append(path)
        return read(self, path, box)

    monkeypatch.setattr(ImageTransform, "read", counting)
    return decoded


def stored_as(backbone: Backbone, images: ImageSet) -> tuple[Path, Path]:
    """The files of an earlier version and of this one."""
    key = FeatureKey.of(backbone, images)
    return feature_path(key.earlier(images)), feature_path(key)


def store_as_earlier(backbone: Backbone, images: ImageSet, features: NDArray[np.float32]) -> None:
    """Writes features as an earlier version did, after the images."""
    key = FeatureKey.of(backbone, images).earlier(images)
    with h5py.File(feature_path(key), "w") as file:
        file.attrs.update(schema=1, key=key.json())
        file["features"], file["labels"] = features.astype(np.float32), images.labels
        file["done"] = np.ones(len(images), np.uint8)
        file.create_dataset("paths", data=list(images.paths), dtype=h5py.string_dtype())
    os.utime(feature_path(key), (time.time() + 3600,) * 2)


def test_stored_features_are_kept_under_the_new_key(birds, home, backbone):
    for part, images in birds.items():
        earlier, now = stored_as(backbone, images)
        key = FeatureKey.of(backbone, images).earlier(images)
        features = read_before(earlier, key.json()).features
        table = extract_features(backbone, images)
        np.testing.assert_array_equal(table.features, features)
        np.testing.assert_array_equal(table.labels, images.labels)
        assert table.features.shape == (PARTS[part], 12)
        assert (earlier.exists(), now.exists()) == (False, True)


def test_a_sample_of_the_images_is_decoded(birds, backbone, reads, monkeypatch):
    monkeypatch.setattr("lowlabel.features.earlier.ROWS_AGAIN", 5)
    extract_features(backbone, birds["novel"])
    assert len(reads) == 5
    extract_features(backbone, birds["novel"])
    assert len(reads) == 5


def test_features_older_than_an_image_are_made_anew(birds, backbone, reads, capsys):
    images = birds["novel"]
    earlier, now = stored_as(backbone, images)
    os.utime(earlier, (0, 0))
    extract_features(backbone, images)
    assert len(reads) == PARTS["novel"]
    assert "images changed after it was made" in capsys.readouterr().err
    assert (earlier.exists(), now.exists()) == (True, True)


def test_features_of_other_pictures_are_made_anew(birds, backbone, reads, capsys):
    """The pictures have other pixels under the same names and sizes in bytes."""
    images = birds["novel"]
    path, other = (images.root / images.paths[row] for row in (3, 20))
    assert path.stat().st_size == other.stat().st_size
    path.write_bytes(other.read_bytes())
    earlier, _ = stored_as(backbone, images)
    os.utime(earlier, (time.time() + 3600,) * 2)
    table = extract_features(backbone, images)
    assert len(reads) > PARTS["novel"]
    assert "1 of 24 rows differ when extracted again" in capsys.readouterr().err
    pixels = backbone.transform.read(path)
    expected = backbone.embed(torch.from_numpy(pixels[None].copy())).cpu()
    np.testing.assert_allclose(table.features[3:4], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_features_with_a_value_of_a_damaged_file_are_made_anew(birds, backbone, capsys, value):
    images = birds["novel"]
    expected = extract_features(backbone, images)
    feature_path(FeatureKey.of(backbone, images)).unlink()
    store_as_earlier(backbone, images, np.where(np.arange(12) == 3, value, expected.features))
    np.testing.assert_array_equal(extract_features(backbone, images).features, expected.features)
    assert "is not used" in capsys.readouterr().err


def test_rows_that_a_lost_write_left_at_zero_are_always_looked_at(
    birds, backbone, capsys, monkeypatch
):
    monkeypatch.setattr("lowlabel.features.earlier.ROWS_AGAIN", 1)
    images = birds["novel"]
    expected = extract_features(backbone, images).features
    feature_path(FeatureKey.of(backbone, images)).unlink()
    store_as_earlier(backbone, images, np.where(np.arange(24)[:, None] == 5, 0, expected))
    np.testing.assert_array_equal(extract_features(backbone, images).features, expected)
    assert "1 of 2 rows differ" in capsys.readouterr().err


def test_features_of_a_set_with_a_16_bit_image_are_made_anew(birds, backbone, reads, capsys):
    images = birds["novel"]
    manifest = images.manifest._replace(deep=True)
    vars(images)["manifest"] = manifest
    extract_features(backbone, images)
    assert len(reads) == PARTS["novel"]
    assert "more than 8 bits" in capsys.readouterr().err


def test_stored_features_equal_those_computed_now(birds, backbone):
    for images in birds.values():
        pixels = [backbone.transform.read(images.root / path) for path in images.paths]
        computed = backbone.embed(torch.from_numpy(np.stack(pixels))).cpu()
        stored = extract_features(backbone, images).features
        np.testing.assert_allclose(computed, stored, rtol=1e-6, atol=1e-6)
