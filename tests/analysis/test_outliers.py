import doctest
import sys

import numpy as np
import pytest
import torch

from lowlabel.analysis import outliers
from lowlabel.analysis.outliers import find_outliers, nearest_others
from lowlabel.errors import InputError


def brute_force(features, k):
    """Mean cosine distance to the k nearest others, by sorting all distances in float64."""
    unit = features.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    distances = 1 - unit @ unit.T
    np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, :k].mean(axis=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("images", "k"), [(2, 1), (7, 3), (700, 10), (1100, 25)])
def test_distances_equal_a_brute_force_in_float64(dtype, images, k):
    features = np.random.default_rng(images).normal(size=(images, 12)).astype(dtype)
    found = find_outliers(features, k=k)
    assert found.k == k
    np.testing.assert_allclose(found.distances, brute_force(features, k), rtol=0, atol=1e-12)


def test_blocks_change_nothing(monkeypatch):
    features = np.random.default_rng(0).normal(size=(50, 8))
    whole = find_outliers(features, k=5)
    monkeypatch.setattr(outliers, "_BLOCK_ROWS", 7)
    blocks = find_outliers(features, k=5)
    np.testing.assert_allclose(blocks.distances, whole.distances, rtol=0, atol=1e-12)


def test_the_threshold_is_that_of_the_quartiles():
    found = find_outliers(np.random.default_rng(3).normal(size=(41, 5)), k=4, spread=0.5)
    ordered = np.sort(found.distances)  # 41 values: the quartiles are the 11th and the 31st
    assert found.threshold == pytest.approx(ordered[30] + 0.5 * (ordered[30] - ordered[10]))
    assert (found.flagged == (found.distances > found.threshold)).all() and found.flagged.any()


def test_images_far_from_all_others_are_flagged_whatever_their_length():
    random = np.random.default_rng(1)
    features = random.normal(0, 0.1, size=(200, 16)) + np.eye(16)[0]
    features[[17, 90]] = -np.eye(16)[1:3]
    features *= random.uniform(1e-3, 1e3, size=(200, 1))
    found = find_outliers(features)
    assert sorted(found.distances.argsort()[-2:].tolist()) == [17, 90]
    assert found.flagged[[17, 90]].all() and found.flagged.sum() < 20


def test_duplicates_have_the_distance_0_and_are_no_outliers():
    row = np.random.default_rng(2).normal(size=33)
    scaled = row * np.random.default_rng(5).uniform(0.5, 2, size=(40, 1))
    found = find_outliers(scaled, k=5)
    np.testing.assert_allclose(found.distances, 0, atol=1e-14)
    assert not found.flagged.any()


def test_the_nearest_others_of_duplicates_are_k_other_images():
    features = np.repeat(np.random.default_rng(4).normal(size=(2, 6)), 30, axis=0)
    rows = nearest_others(features, 10).rows
    assert all(len(set(others)) == 10 for others in rows.tolist())
    assert not (rows == np.arange(60)[:, None]).any()
    assert ((rows >= 30) == (np.arange(60) >= 30)[:, None]).all()


def test_more_neighbours_than_images_are_all_others():
    features = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    found = find_outliers(features, k=10)
    assert found.k == 3
    np.testing.assert_allclose(
        found.distances, brute_force(features.numpy(), 3), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    ("features", "options", "message"),
    [
        (np.ones((1, 3)), {}, "1 image has no others"),
        (np.ones((3, 3)), {"k": 0}, "k=0"),
        (np.ones((3, 3)), {"spread": -1.0}, "spread=-1.0"),
        (np.ones((3, 3)), {"spread": float("nan")}, "spread=nan"),
        (np.array([[1.0, 0.0], [0.0, 0.0]]), {}, "1 of 2 rows of features are all zero"),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), {}, "1 of 2 rows of features hold NaN"),
    ],
)
def test_bad_input_is_named(features, options, message):
    with pytest.raises(InputError, match=message):
        find_outliers(features, **options)


def test_the_example_in_the_documentation_runs():
    outcome = doctest.testmod(sys.modules[find_outliers.__module__])
    assert outcome.attempted > 0
    assert outcome.failed == 0
