"""Flaws that are put into a few drawings of the demo."""

import numpy as np
import pytest
from PIL import Image

from lowlabel.analysis.bad_data import quality
from lowlabel.analysis.bad_data.quality import ADDED, EXCHANGED, Demo
from lowlabel.datasets import open_dataset
from lowlabel.datasets.demo.classes import demo_classes
from lowlabel.datasets.demo.render import demo_image
from lowlabel.features import load_backbone


@pytest.fixture
def demo(tmp_path):
    """Two novel and two base classes of 20 images, by their pixels."""
    for part in ("novel", "base"):
        for kind in [kind for kind in demo_classes() if kind.part == part][:2]:
            folder = tmp_path / "few" / part / kind.name
            folder.mkdir(parents=True)
            for number in range(20):
                Image.fromarray(demo_image(kind, number)).save(folder / f"{number:03d}.png")
    opened = open_dataset(f"folder:{tmp_path / 'few'}")
    backbone = load_backbone("pixels", resolution=8, device="cpu")
    own = opened.load("novel")
    return Demo(backbone, own, opened.load("base"), quality._embedded(backbone, own))


@pytest.mark.parametrize("flaw", ADDED)
def test_a_twentieth_is_added_and_measured(demo, flaw):
    found, flawed = demo.with_flaws(flaw, seed=0)
    assert len(found.scores) == len(flawed) == 42
    assert flawed.sum() == 2
    assert flawed[40:].all()
    measured = quality._measured(found, flawed, flaw)
    assert set(measured) == {"AUROC", "AUROC of the distance", "precision", "recall"}
    assert all(0 <= value <= 1 for value in measured.values())


def test_a_twentieth_of_the_labels_is_exchanged(demo):
    found, flawed = demo.with_flaws(EXCHANGED, seed=0)
    assert flawed.sum() == 2
    true = np.array([demo.own.class_names[label] for label in demo.own.labels])
    assert ((found.scores["class"].to_numpy() != true) == flawed).all()
