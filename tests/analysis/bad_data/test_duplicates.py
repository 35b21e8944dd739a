import numpy as np
import pytest

from lowlabel.analysis.bad_data import duplicates
from lowlabel.analysis.bad_data.duplicates import (
    first_of_content,
    near_duplicates,
    near_threshold,
)
from lowlabel.errors import InputError


def test_every_image_has_the_first_row_of_its_content():
    assert first_of_content([b"a", b"b", b"a", b"c", b"b", b"a"]).tolist() == [0, 1, 0, 3, 1, 0]
    assert first_of_content([]).tolist() == []


def leaders(features, threshold):
    """Rows of the kept images, one image at a time."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    kept = []
    for row in range(len(unit)):
        if all(1 - unit[row] @ unit[other] > threshold + 1e-12 for other in kept):
            kept.append(row)
    return kept


@pytest.mark.parametrize("block", [3, 1024])
@pytest.mark.parametrize("threshold", [0.0, 0.02, 0.2, 2.0])
def test_near_duplicates_are_those_of_a_brute_force(monkeypatch, block, threshold):
    monkeypatch.setattr(duplicates, "_BLOCK_ROWS", block)
    random = np.random.default_rng(0)
    centres = random.normal(size=(12, 6)).repeat(5, axis=0)
    features = (centres + 0.15 * random.normal(size=centres.shape))[random.permutation(60)]
    found = near_duplicates(features, threshold, device="cpu")
    kept = leaders(features, threshold)
    assert [row for row, owner in enumerate(found) if owner < 0] == kept
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    for row, owner in enumerate(found):
        if owner >= 0:
            assert owner in kept
            assert 1 - unit[row] @ unit[owner] <= threshold + 1e-9


def test_a_chain_does_not_join_unlike_images():
    angles = np.deg2rad([0, 8, 16])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    threshold = 1 - np.cos(np.deg2rad(9))
    assert near_duplicates(features, threshold, device="cpu").tolist() == [-1, 0, -1]


def test_all_images_equal_leave_one():
    found = near_duplicates(np.ones((7, 3)), 0.0, device="cpu")
    assert found.tolist() == [-1, 0, 0, 0, 0, 0, 0]


def test_the_threshold_is_a_fraction_of_the_median_or_as_given():
    assert near_threshold(np.array([0.1, 0.2, 0.4])) == pytest.approx(0.13 * 0.2)
    assert near_threshold(np.array([0.1]), 0.01) == 0.01
    for distance in (-0.1, 2.1, float("nan")):
        with pytest.raises(InputError, match="distance"):
            near_threshold(np.ones(1), distance)
