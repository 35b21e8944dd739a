from functools import partial

import numpy as np
import pytest
from PIL import Image

from lowlabel.analysis.attention import (
    ClassAttention,
    Pictured,
    Placement,
    Seen,
    draw_sheet,
    sheet,
)
from lowlabel.analysis.attention.tiles import colour_tile, heat_tile, mask_tile

SAND, DARK = (200, 180, 160), (60, 54, 48)


def image(width, height):
    return Image.new("RGB", (width, height), SAND)


def test_tiles_have_the_images_own_resolution_and_keep_what_is_masked():
    attention = np.array([[0.1, 0.2], [0.3, 0.4]])
    mask = np.array([[False, False], [False, True]])
    placed = Placement.of((40, 20), (10.0, 0.0, 30.0, 20.0), (2, 2))
    shown = np.asarray(mask_tile(image(40, 20), mask, placed))
    assert shown.shape == (20, 40, 3)
    assert (shown[10:, 20:30] == SAND).all()
    rest = np.ones((20, 40), dtype=bool)
    rest[10:, 20:30] = False
    assert (shown[rest] == DARK).all()

    heat = np.asarray(heat_tile(image(40, 20), attention, np.zeros((2, 2), bool), placed)).astype(
        int
    )
    assert (heat[:, :10] == DARK).all() and (heat[:, 30:] == DARK).all()
    cold, hot = heat[2, 12], heat[18, 28]
    assert hot[0] - hot[2] > 60 and cold[2] > cold[1]  # yellow and violet

    lined = np.asarray(heat_tile(image(40, 20), attention, mask, placed))
    white = (lined == 255).all(axis=-1)
    assert white.any() and not white[~placed.spread(mask)].any()

    colours = np.asarray(colour_tile(image(40, 20), np.ones((2, 2, 3)), placed))
    assert (colours[:, 10:30] == 255).all() and (colours[:, :10] == DARK).all()


def seen(width, height, heads=3, model="net"):
    attention = np.random.default_rng(0).dirichlet(np.ones(4), heads).reshape(heads, 2, 2)
    region = 0.0, 0.0, float(width), float(height)
    return Seen(model, region, ClassAttention("blocks.1", attention, np.zeros((heads, 1))))


def test_the_image_and_its_tiles_stand_in_a_row_at_full_size():
    picture = draw_sheet(
        [Pictured("a.png", (200, 100), partial(image, 200, 100), [seen(200, 100)])]
    )
    assert picture.scales == (1.0,)
    pixels = np.asarray(picture.picture)
    sand = (pixels == SAND).all(axis=-1)
    assert sand.any(axis=0).sum() >= 200 and sand.any(axis=1).sum() == 100


def test_small_images_grow_by_a_whole_factor_and_huge_ones_shrink(monkeypatch):
    small = Pictured("s", (32, 20), partial(image, 32, 20), [seen(32, 20)])
    assert draw_sheet([small]).scales == (5.0,)
    monkeypatch.setattr(sheet, "MOST_PIXELS", 2**19)
    large = Pictured("l", (400, 300), partial(image, 400, 300), [seen(400, 300)])
    drawn = draw_sheet([small, large, small])
    assert drawn.scales[0] == 5.0 and drawn.scales[1] < 0.8


def test_each_image_and_model_has_a_row():
    one = [Pictured("a", (200, 100), partial(image, 200, 100), [seen(200, 100)])]
    two = [
        Pictured("a", (200, 100), partial(image, 200, 100), [seen(200, 100), seen(200, 100, 12)]),
        Pictured("b", (100, 200), partial(image, 100, 200), [seen(100, 200), seen(100, 200)]),
    ]
    assert draw_sheet(two).picture.height > 4 * draw_sheet(one).picture.height


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1)])
def test_extreme_images_are_drawn(size):
    drawn = draw_sheet([Pictured("thin", size, partial(image, *size), [seen(*size)])])
    assert drawn.picture.mode == "RGB"
