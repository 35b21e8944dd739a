import numpy as np
import pytest
from sklearn.decomposition import PCA

from lowlabel.analysis.attention import patch_colours
from lowlabel.errors import InputError


def test_colours_are_the_components_of_all_images_together():
    random = np.random.default_rng(0)
    images = [
        (random.normal(size=shape) @ np.diag(np.linspace(3, 0.1, 6))).astype(np.float32)
        for shape in ((4, 5, 6), (7, 3, 6))
    ]
    tokens = np.concatenate([image.reshape(-1, 6) for image in images]).astype(np.float64)
    scores = PCA(3).fit_transform(tokens)
    found = patch_colours(images)
    assert [colours.shape for colours in found] == [(4, 5, 3), (7, 3, 3)]
    joined = np.concatenate([colours.reshape(-1, 3) for colours in found])
    assert joined.min(axis=0).tolist() == [0, 0, 0] and joined.max(axis=0).tolist() == [1, 1, 1]
    for ours, theirs in zip(joined.T, scores.T, strict=True):
        assert abs(np.corrcoef(ours, theirs)[0, 1]) == pytest.approx(1, abs=1e-9)


def test_colours_do_not_depend_on_the_sign_of_the_components():
    """The largest loading is positive, so that mirrored tokens have mirrored colours."""
    tokens = np.random.default_rng(1).normal(size=(5, 5, 4)).astype(np.float32)
    (colours,), (mirrored,) = patch_colours([tokens]), patch_colours([-tokens])
    np.testing.assert_allclose(colours, 1 - mirrored, atol=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_foreground_is_the_side_away_from_the_borders(sign):
    random = np.random.default_rng(2)
    tokens = random.normal(0, 0.1, size=(8, 8, 5)).astype(np.float32)
    tokens[2:6, 3:7, 0] += 5 * sign
    (colours,) = patch_colours([tokens], foreground=True)
    lit = colours.any(axis=-1)
    expected = np.zeros((8, 8), dtype=bool)
    expected[2:6, 3:7] = True
    assert (lit <= expected).all() and lit.sum() >= 13  # each minimum of a component is black
    (everything,) = patch_colours([tokens])
    assert everything.any(axis=-1).sum() > 60


@pytest.mark.parametrize("shape", [(1, 1, 4), (1, 2, 4), (3, 3, 2)])
@pytest.mark.parametrize("foreground", [False, True])
def test_few_patches_and_few_dimensions_have_colours(shape, foreground):
    tokens = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    (colours,) = patch_colours([tokens], foreground=foreground)
    assert colours.shape == (*shape[:2], 3)
    assert ((colours >= 0) & (colours <= 1)).all()


def test_equal_patches_are_grey():
    (colours,) = patch_colours([np.ones((2, 3, 4), dtype=np.float32)])
    assert (colours == 0.5).all()


def test_tokens_that_cannot_be_compared_are_refused():
    with pytest.raises(InputError, match="of one model"):
        patch_colours([np.ones((1, 1, 3), np.float32), np.ones((1, 1, 4), np.float32)])
    with pytest.raises(InputError, match="NaN"):
        patch_colours([np.full((1, 2, 3), np.nan, np.float32)])
