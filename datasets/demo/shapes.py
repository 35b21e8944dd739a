"""Outlines of the demo data, as fields that are positive inside.

Every outline lies within about one unit of the origin, with y upwards. Fields grow about as fast as
the distance from the outline, so that `coverage` can soften the edge.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from lowlabel.datasets.demo.draws import Field

Shape = Callable[[Field, Field], Field]


def _length(x: Field, y: Field) -> Field:
    result: Field = np.sqrt(x * x + y * y)
    return result


def _bearing(x: Field, y: Field) -> Field:
    """Angle from straight up, in radians."""
    result: Field = np.arctan2(x, y)
    return result


def _star(x: Field, y: Field, points: int, inner: float) -> Field:
    """Star with inner corners at radius `inner`; a regular polygon if that is cos(pi / points)."""
    half = math.pi / points
    turn = _bearing(x, y) / (2.0 * half)
    angle = np.abs(turn - np.floor(turn + 0.5)) * (2.0 * half)
    radius = _length(x, y)
    along, across = radius * np.cos(angle), radius * np.sin(angle)
    corner_x, corner_y = inner * math.cos(half) - 1.0, inner * math.sin(half)
    edge = math.sqrt(corner_x**2 + corner_y**2)
    return (corner_x * across - corner_y * (along - 1.0)) / edge


def _polygon(x: Field, y: Field, sides: int) -> Field:
    return _star(x, y, sides, math.cos(math.pi / sides))


def _petals(x: Field, y: Field, petals: int, depth: float) -> Field:
    wave = np.cos(petals * _bearing(x, y))
    return 1.0 - depth * 0.5 * (1.0 - wave) - _length(x, y)


def _gear(x: Field, y: Field, teeth: int) -> Field:
    wave = np.clip(3.0 * np.cos(teeth * _bearing(x, y)), -1.0, 1.0)
    return 0.86 + 0.14 * wave - _length(x, y)


def _box(x: Field, y: Field, half_width: float, half_height: float) -> Field:
    return np.minimum(half_width - np.abs(x), half_height - np.abs(y))


def _disc(x: Field, y: Field, radius: float = 1.0) -> Field:
    return radius - _length(x, y)


def _band(y: Field, low: float, high: float) -> Field:
    return np.minimum(y - low, high - y)


def _square(x: Field, y: Field) -> Field:
    return _box(x, y, 0.82, 0.82)


def _ring(x: Field, y: Field) -> Field:
    return 0.3 - np.abs(_length(x, y) - 0.7)


def _crescent(x: Field, y: Field) -> Field:
    return np.minimum(_disc(x, y), _length(x - 0.52, y - 0.25) - 0.68)


def _cross(x: Field, y: Field) -> Field:
    return np.maximum(_box(x, y, 0.36, 1.0), _box(x, y, 1.0, 0.36))


def _arrow(x: Field, y: Field) -> Field:
    head = np.minimum(0.72 * (1.0 - y) - 0.7 * np.abs(x), y + 0.05)
    return np.maximum(head, _box(x, y + 0.5, 0.36, 0.5))


def _heart(x: Field, y: Field) -> Field:
    side = np.abs(x)
    lobe = _disc(side - 0.45, y - 0.35, 0.52)
    wedge = np.minimum(0.72 * (y + 0.98) - 0.69 * side, 0.45 - y - 0.35 * side)
    return np.maximum(lobe, wedge)


def _drop(x: Field, y: Field) -> Field:
    sine = 0.62 / 1.38
    cone = sine * (1.0 - y) - math.sqrt(1.0 - sine**2) * np.abs(x)
    return np.maximum(_disc(x, y + 0.38, 0.62), np.minimum(cone, y + 0.38 - 0.62 * sine))


def _leaf(x: Field, y: Field) -> Field:
    return 1.14 - _length(np.abs(x) + 0.55, y)


def _hourglass(x: Field, y: Field) -> Field:
    return np.minimum(0.16 + 0.66 * np.abs(y) - np.abs(x), 0.92 - np.abs(y))


def _fish(x: Field, y: Field) -> Field:
    body = 1.0 - _length(x + 0.22, np.abs(y) + 0.48)
    tail = np.minimum(0.85 * (x - 0.25) - np.abs(y), 0.95 - x)
    return np.maximum(body, tail)


def _mushroom(x: Field, y: Field) -> Field:
    cap = np.minimum(_disc(x, 1.25 * (y + 0.05), 1.0), y + 0.05)
    return np.maximum(cap, _box(x, y + 0.5, 0.3, 0.48))


def _bone(x: Field, y: Field) -> Field:
    across, along = np.abs(x), np.abs(y)
    knob = _disc(across - 0.32, along - 0.66, 0.36)
    return np.maximum(knob, _box(x, y, 0.3, 0.7))


def _bolt(x: Field, y: Field) -> Field:
    upper = np.minimum(0.4 - np.abs(x + 0.62 * y - 0.26), _band(y, -0.12, 1.0))
    lower = np.minimum(0.4 - np.abs(x + 0.62 * y + 0.26), _band(y, -1.0, 0.12))
    return np.maximum(upper, lower)


SHAPES: Mapping[str, Shape] = {
    "star": partial(_star, points=5, inner=0.45),
    "heart": _heart,
    "gear": partial(_gear, teeth=9),
    "cross": _cross,
    "leaf": _leaf,
    "ring": _ring,
    "triangle": partial(_polygon, sides=3),
    "flower": partial(_petals, petals=6, depth=0.42),
    "arrow": _arrow,
    "square": _square,
    "crescent": _crescent,
    "mushroom": _mushroom,
    "burst": partial(_star, points=11, inner=0.66),
    "drop": _drop,
    "hourglass": _hourglass,
    "hexagon": partial(_polygon, sides=6),
    "fish": _fish,
    "trefoil": partial(_petals, petals=3, depth=0.6),
    "bone": _bone,
    "bolt": _bolt,
    "disc": _disc,
}
