import numpy as np
import pytest
from PIL import Image

from lowlabel.analysis.patch_matching import PatchedView, draw_matches, match_colours, spread_out
from lowlabel.errors import InputError


def view(grid=4, colour=(10, 20, 30)):
    return PatchedView(Image.new("RGB", (64, 64), colour), (0, 0, 50, 50), grid)


def test_matched_patches_have_equal_colours_and_others_none():
    pairs = [(0, 5), (3, 6), (12, 9), (15, 10)]
    first, second = match_colours(pairs, 4)
    assert set(first) == {0, 3, 12, 15}
    assert all(first[a] == second[b] for a, b in pairs)
    assert len(set(first.values())) == 4


def test_a_patch_with_two_partners_has_their_mean():
    first, second = match_colours([(0, 7), (3, 7)], 4)
    mean = np.mean([first[0], first[3]], axis=0)
    np.testing.assert_allclose(second[7], mean, atol=1)


def test_linked_pairs_are_far_apart():
    pairs = [(number, number) for number in range(196)]
    chosen = spread_out(pairs, 14)
    assert len(set(chosen)) == 12
    assert {(0, 0), (195, 195)} <= set(chosen)
    assert spread_out(pairs[:3], 14) == [(0, 0), (2, 2), (1, 1)]


def test_the_picture_tints_matched_patches():
    """Tinted patches are darker than faded ones; without pairs all patches are faded."""
    source = Image.new("RGB", (80, 60), (10, 20, 30))
    empty = np.asarray(draw_matches(source, (view(), view()), []))
    some = np.asarray(draw_matches(source, (view(), view()), [(0, 15)]))
    assert empty.shape == some.shape
    changed = np.argwhere((empty != some).any(2))
    left, right = some.shape[1] - 24 - 448 - 56 - 448, some.shape[1] - 24
    assert changed[:, 1].min() >= left
    assert changed[:, 1].max() < right
    patch = some[40 + 8 : 40 + 30, left + 8 : left + 30]
    assert patch.mean() < empty[40 + 8 : 40 + 30, left + 8 : left + 30].mean()


def test_patches_beyond_the_grid_are_refused():
    source = Image.new("RGB", (80, 60))
    with pytest.raises(InputError, match="view 2 has no patch 16: it has 16 patches"):
        draw_matches(source, (view(), view()), [(0, 16)])
