"""Omniglot against torchvision's reader."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import Omniglot

from lowlabel.datasets import DATASETS, open_dataset, prepare

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)


@pytest.fixture
def omniglot_tree(tmp_path: Path) -> Path:
    """torchvision's layout, with drawings of one channel."""
    root = tmp_path / "omniglot-py"
    for name, alphabets in (
        ("images_background", ("Greek", "Japanese_(hiragana)")),
        ("images_evaluation", ("Angelic", "Greek")),
    ):
        for alphabet in alphabets:
            for character in ("character01", "character02"):
                for k in range(3):
                    path = root / name / alphabet / character / f"0001_{k:02d}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(PIXELS[..., 0] > 128).save(path)
    return root


@pytest.mark.parametrize("part", ["base", "novel"])
def test_omniglot_is_what_torchvision_reads(omniglot_tree, monkeypatch, part):
    prepare(DATASETS["omniglot"], omniglot_tree, allow_partial=True)
    images = open_dataset("omniglot", allow_partial=True).load(part)
    monkeypatch.setattr(Omniglot, "_check_integrity", lambda self: True)
    peer = Omniglot(omniglot_tree.parent, background=part == "base")
    assert sorted(images.class_names) == sorted(peer._characters)
    theirs = {(peer._characters[label], name) for name, label in peer._flat_character_images}
    ours = {
        (images.class_names[label], Path(path).name)
        for path, label in zip(images.paths, images.labels, strict=True)
    }
    assert ours == theirs
    assert len(images) == len(peer) == 12


def test_omniglot_from_its_two_archives(omniglot_tree, tmp_path, zipped):
    repository = tmp_path / "omniglot-master" / "python"
    repository.mkdir(parents=True)
    for name in ("images_background", "images_evaluation"):
        zipped(omniglot_tree / name, repository / f"{name}.zip")
    archive = zipped(repository.parent, tmp_path / "omniglot-master.zip")
    prepare(DATASETS["omniglot"], archive, allow_partial=True)
    novel = open_dataset("omniglot", allow_partial=True).load("novel")
    assert novel.counts == (12, 4)
    assert novel.class_names[0] == "Angelic/character01"


def test_grey_images_get_three_channels(omniglot_tree):
    from lowlabel.features.transforms import ImageTransform

    path = next(omniglot_tree.rglob("*.png"))
    pixels = ImageTransform(resize=8, crop=8).read(path)
    assert pixels.shape == (8, 8, 3)
    assert np.array_equal(pixels[..., 0], np.where(PIXELS[..., 0] > 128, 255, 0))
    assert (pixels == pixels[..., :1]).all()
