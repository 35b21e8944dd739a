"""Classes of the demo data, with their shapes, textures and colours."""

import re
from collections import Counter
from colorsys import rgb_to_hsv
from itertools import combinations

import numpy as np
import pytest

from lowlabel.datasets.demo.classes import demo_classes
from lowlabel.datasets.demo.colours import PALETTES, vary
from lowlabel.datasets.demo.draws import Draws
from lowlabel.datasets.demo.fields import coverage, pixel_grid
from lowlabel.datasets.demo.shapes import SHAPES
from lowlabel.datasets.demo.textures import TEXTURES

X, Y = (1.5 * axis + np.zeros((64, 64)) for axis in pixel_grid(64))


def test_a_hundred_classes_in_three_parts() -> None:
    kinds = demo_classes()
    assert [kind.index for kind in kinds] == list(range(100))
    assert Counter(kind.part for kind in kinds) == {"base": 64, "val": 16, "novel": 20}
    assert len({kind.name for kind in kinds}) == 100
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-[a-z]+", kind.name) for kind in kinds)


def test_colour_alone_never_decides() -> None:
    assert len({(kind.shape, kind.texture) for kind in demo_classes()}) == 100


@pytest.mark.parametrize("part", ["val", "novel"])
def test_only_combinations_are_new(part: str) -> None:
    kinds = demo_classes()
    base = [kind for kind in kinds if kind.part == "base"]
    for attribute in ("shape", "texture", "palette"):
        held_out = {getattr(kind, attribute) for kind in kinds if kind.part == part}
        assert held_out <= {getattr(kind, attribute) for kind in base}


def test_every_novel_class_has_neighbours_that_share_attributes() -> None:
    novel = [kind for kind in demo_classes() if kind.part == "novel"]
    for kind in novel:
        others = [other for other in novel if other != kind]
        assert sum(other.palette == kind.palette for other in others) == 3
        assert sum(other.texture == kind.texture for other in others) == 1
        assert sum((other.shape, other.palette) == (kind.shape, kind.palette) for other in others)


@pytest.mark.parametrize("name", SHAPES)
def test_shape_fills_its_unit_but_stays_near(name: str) -> None:
    covered = coverage(SHAPES[name](X, Y))
    assert covered[X**2 + Y**2 > 1.3**2].max() == 0.0
    assert 0.2 < covered.mean() * 9.0 / np.pi < 1.001


def test_shapes_differ_in_outline() -> None:
    regions = {name: shape(X, Y) > 0.0 for name, shape in SHAPES.items()}
    for (a, one), (b, other) in combinations(regions.items(), 2):
        overlap = (one & other).sum() / (one | other).sum()
        assert overlap < 0.92, f"{a} and {b} overlap by {overlap:.2f}"


@pytest.mark.parametrize("name", [name for name in TEXTURES if name != "plain"])
def test_texture_shows_both_colours(name: str) -> None:
    disc = X**2 + Y**2 < 1.0
    for seed in range(20):
        accent = TEXTURES[name](X, Y, Draws(seed))[disc]
        assert accent.min() >= 0.0 and accent.max() <= 1.0
        assert 0.15 < accent.mean() < 0.85
        assert accent.std() > 0.2


def test_textures_follow_their_stream() -> None:
    for name, texture in TEXTURES.items():
        np.testing.assert_array_equal(texture(X, Y, Draws(3)), texture(X, Y, Draws(3)))
        changed = np.abs(texture(X, Y, Draws(3)) - texture(X, Y, Draws(4))).max() > 0.0
        assert changed == (name != "plain")


def test_main_and_accent_differ_in_brightness_so_grey_pictures_keep_the_texture() -> None:
    for name, colours in PALETTES.items():
        main, accent = (np.dot((0.299, 0.587, 0.114), colour) for colour in colours)
        assert abs(main - accent) > 0.25, name


def test_varied_colours_stay_near_in_hue() -> None:
    draws = Draws(0)
    for colour in (colour for palette in PALETTES.values() for colour in palette):
        varied = vary(colour, draws, hue=0.03, saturation=1.2, value=1.2)
        assert all(0.0 <= channel <= 1.0 for channel in varied)
        turn = rgb_to_hsv(*varied)[0] - rgb_to_hsv(*colour)[0]
        assert abs((turn + 0.5) % 1.0 - 0.5) <= 0.03 + 1e-9
