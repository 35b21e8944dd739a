"""A feature store made by an earlier version is found again, and holds today's features."""

import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from lowlabel.datasets import ImageSet, open_dataset
from lowlabel.features import FeatureKey, extract_features, feature_path, load_backbone
from lowlabel.features.transforms import ImageTransform

ARCHIVE = Path(__file__).parent.parent / "data/before/store/birds.zip"
PARTS = {"base": 24, "val": 24, "novel": 24}  # images


@pytest.fixture
def birds(tmp_path: Path, home: Path) -> dict[str, ImageSet]:
    """The parts of the dataset, whose stored features `home` holds."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    assert len(list((home / "features").iterdir())) == len(PARTS)
    opened = open_dataset(f"folder:{tmp_path / 'birds'}")
    return {part: opened.load(part) for part in PARTS}


def test_stored_features_are_read_without_decoding_or_writing(birds, home, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("an image was decoded")

    monkeypatch.setattr(ImageTransform, "read", refuse)
    backbone = load_backbone("pixels", resolution=2)
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    for part, images in birds.items():
        key = FeatureKey.of(backbone, images)
        assert feature_path(key) in before
        table = extract_features(backbone, images)
        with h5py.File(feature_path(key)) as file:
            np.testing.assert_array_equal(table.features, file["features"][()])
        np.testing.assert_array_equal(table.labels, images.labels)
        assert (table.features.shape, table.key) == ((PARTS[part], 12), key.digest)
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before


def test_stored_features_equal_those_computed_now(birds):
    backbone = load_backbone("pixels", resolution=2)
    for images in birds.values():
        pixels = [backbone.transform.read(images.root / path) for path in images.paths]
        computed = backbone.embed(torch.from_numpy(np.stack(pixels))).cpu()
        stored = extract_features(backbone, images).features
        np.testing.assert_allclose(computed, stored, rtol=1e-6, atol=1e-6)
