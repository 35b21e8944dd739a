import numpy as np
import pytest

from lowlabel.analysis.bad_data.groups import cosines_outside_groups, small_groups
from lowlabel.analysis.outliers import Outliers, nearest_others


@pytest.fixture
def features():
    """100 spread images and 5 that are nearly equal, far from the others."""
    random = np.random.default_rng(0)
    spread = random.normal(size=(100, 8)) + np.array([3, *[0] * 7])
    group = [-3.0, *[0] * 7] + 0.01 * random.normal(size=(5, 8))
    return np.concatenate([spread, group])


def test_a_small_group_is_found_and_judged_by_the_images_outside_it(features):
    others = nearest_others(features, 4, device="cpu")
    groups = small_groups(others)
    assert len(set(groups[100:])) == 1
    assert groups[100] >= 0
    assert not set(groups[:100]) & set(groups[100:])
    assert not Outliers.of(others.cosines).flagged[100:].any()
    outside = cosines_outside_groups(features, others, device="cpu")
    assert Outliers.of(outside).flagged[100:].all()


def test_cosines_outside_groups_are_those_of_a_brute_force(features):
    others = nearest_others(features, 4, device="cpu")
    groups = small_groups(others)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = unit @ unit.T
    own = (groups[:, None] == groups) & (groups[:, None] >= 0) | np.eye(len(unit), dtype=bool)
    expected = -np.sort(-np.where(own, -9, cosines), axis=1)[:, :4]
    np.testing.assert_allclose(
        cosines_outside_groups(features, others, device="cpu"), expected, atol=1e-12
    )


def test_a_group_of_more_than_a_tenth_is_no_exception():
    features = np.concatenate([np.eye(8)[:6], np.tile(np.eye(8)[7], (4, 1))])
    others = nearest_others(features, 3, device="cpu")
    assert (small_groups(others) == -1).all()
    same = cosines_outside_groups(features, others, device="cpu")
    np.testing.assert_array_equal(same, others.cosines)


def test_more_neighbours_than_images_outside_a_group_repeat_the_last():
    spread = np.abs(np.random.default_rng(0).normal(size=(19, 5))) * [1, 1, 1, 1, 0]
    features = np.concatenate([spread, np.eye(5)[[4, 4]]])
    others = nearest_others(features, 20, device="cpu")
    found = cosines_outside_groups(features, others, device="cpu")
    assert found.shape == (21, 20)
    assert (found[-1] < 0.999).all()
