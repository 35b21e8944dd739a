"""Colours of the demo data: palettes of a main and an accent colour, and their variation."""

import colorsys
from collections.abc import Mapping

from lowlabel.datasets.demo.draws import Draws

Colour = tuple[float, float, float]
Palette = tuple[Colour, Colour]


def _colour(code: str) -> Colour:
    red, green, blue = bytes.fromhex(code)
    return red / 255.0, green / 255.0, blue / 255.0


PALETTES: Mapping[str, Palette] = {
    name: (_colour(main), _colour(accent))
    for name, main, accent in (
        ("amber", "f4a422", "6b2d0c"),
        ("scarlet", "d43a2c", "f7e6d0"),
        ("teal", "17908a", "f3ecd2"),
        ("sky", "7cc4ee", "1d4690"),
        ("rose", "f086a8", "8c1d4b"),
        ("violet", "7d46b0", "f2b8de"),
        ("indigo", "3a3fa0", "f0c95a"),
        ("mint", "86dcb4", "5b3a86"),
        ("lime", "a9cf3c", "23592b"),
        ("cocoa", "7a4b30", "f3c08a"),
    )
}


def vary(colour: Colour, draws: Draws, hue: float, saturation: float, value: float) -> Colour:
    """Draws a colour near `colour`.

    Args:
        colour: Red, green and blue, 0 to 1.
        draws: Random numbers.
        hue: Largest shift of the hue, as a fraction of the colour circle.
        saturation: Saturation is multiplied by a factor in [1/saturation, saturation).
        value: Brightness is multiplied by a factor in [1/value, value).
    """
    h, s, v = colorsys.rgb_to_hsv(*colour)
    h = (h + draws.uniform(-hue, hue)) % 1.0
    s, v = min(s * draws.ratio(saturation), 1.0), min(v * draws.ratio(value), 1.0)
    return colorsys.hsv_to_rgb(h, s, v)


def muted(draws: Draws, hue: float) -> Colour:
    """Draws a muted colour near the given hue, for backgrounds and clutter."""
    turned = (hue + draws.uniform(-0.06, 0.06)) % 1.0
    return colorsys.hsv_to_rgb(turned, draws.uniform(0.03, 0.25), draws.uniform(0.42, 0.88))
