"""Numbers of the authors' released code."""

import numpy as np
import pytest
import torch

from lowlabel.retrieval.post import Embedded, apply_post_processing, build_post


def rows_of(spec, x, leave_one_out=True, queries=None):
    gallery = torch.from_numpy(x / np.linalg.norm(x, axis=1, keepdims=True))
    sides = (gallery if queries is None else torch.from_numpy(queries)), gallery
    similarity = apply_post_processing([build_post(spec)], Embedded(*sides, leave_one_out))
    return similarity.rows(torch.arange(len(sides[0]))).numpy()


@pytest.mark.parametrize(("overlap", "distance"), [("released", 0.5922), ("paper", 0.3810)])
def test_k_reciprocal_expands_where_more_than_two_thirds_overlap(overlap, distance):
    x = np.random.default_rng(0).normal(size=(8, 2))
    spec = f"k-reciprocal:4,k2=1,weight=0,overlap={overlap}"
    assert -rows_of(spec, x)[2, 4] == pytest.approx(distance, abs=5e-5)


def test_the_released_overlap_is_the_default():
    assert build_post("k-reciprocal").overlap == "released"


def test_diffusion_counts_the_image_itself_as_a_neighbour():
    """With k = 2, of three images on an arc only the two nearest are mutual neighbours.

    Then S = [[0, 1], [1, 0]] for those two, and f = (1, α) / (1 − α²).
    """
    angles = np.array([0, 0.1, 0.3])
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    expected = np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 0.75]]) / 0.75
    np.testing.assert_allclose(rows_of("diffusion:2,alpha=0.5", x), expected, atol=1e-12)


def test_diffusion_joins_a_chain_with_one_more_neighbour():
    angles = np.array([0, 0.1, 0.3])
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert (rows_of("diffusion:3,alpha=0.5", x) > 0).all()
