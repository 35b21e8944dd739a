import numpy as np
import pytest
from PIL import Image

from lowlabel.analysis.matched_colours import match_colours, spread_out
from lowlabel.analysis.patch_matching import PatchedView, draw_matches
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


def drawn(pairs, **options):
    source = Image.new("RGB", (80, 60), (10, 20, 30))
    return np.asarray(draw_matches(source, (view(), view()), pairs, **options)).astype(int)


PAIRS = [(0, 0), (5, 6), (10, 9)]


def between(picture):
    """The gap between the views, where pairs are joined."""
    right = picture.shape[1] - 24 - 448
    return picture[40 : 40 + 448, right - 50 : right - 6]


def test_lines_join_every_pair_and_leave_the_views_untinted():
    many = [(number, number) for number in range(16)]
    lines, arcs = drawn(many, drawing="lines"), drawn(many)
    rows = (between(lines) < 200).any((1, 2))  # lines of one row of patches lie on each other
    assert int((rows[1:] & ~rows[:-1]).sum() + rows[0]) == 4
    left = lines.shape[1] - 24 - 448 - 56 - 448
    corner = np.s_[40 + 8 : 40 + 30, left + 8 : left + 30]
    assert np.abs(lines[corner] - np.array((10, 20, 30))).max() == 0
    assert np.abs(arcs[corner] - np.array((10, 20, 30))).max() > 20


def test_colours_alone_join_nothing():
    assert (between(drawn(PAIRS, drawing="colours")) == 255).all()
    assert (between(drawn(PAIRS)) != 255).any()


def test_every_patch_has_its_number():
    plain = drawn(PAIRS, drawing="colours")
    from_0, from_1 = (drawn(PAIRS, drawing="colours", numbered=True, first=n) for n in (0, 1))
    left = plain.shape[1] - 24 - 448
    for row in range(4):
        for column in range(4):
            y, x = 40 + row * 112, left + column * 112
            patch = np.s_[y + 4 : y + 108, x + 4 : x + 108]
            assert (plain[patch] != from_0[patch]).any()
            assert (from_0[patch] != from_1[patch]).any()


def test_a_local_view_is_drawn_to_scale():
    source = Image.new("RGB", (80, 60), (10, 20, 30))
    local = PatchedView(Image.new("RGB", (24, 24)), (0, 0, 20, 20), 2, share=0.5)
    picture = np.asarray(draw_matches(source, (view(), local), []))
    left = int(np.flatnonzero((picture[60] != 255).any(1)).max()) - 224  # of the second view
    below = picture[40 + 224 + 2 :, left + 2 :]
    assert (below == 255).all()
    assert (picture[40 + 2 : 40 + 110, left + 2 : left + 110] != 255).any()
    with pytest.raises(InputError, match="view 2 has no patch 4: it has 4 patches"):
        draw_matches(source, (view(), local), [(0, 4)])
