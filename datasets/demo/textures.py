"""Surface patterns of the demo data: the share of accent colour at each point of an object.

A pattern takes object coordinates (about [-1, 1] on the object) and a random stream for whatever
differs between objects of one class (phase, pitch, grains of noise); it returns the share of the
accent colour, 0 to 1, as a field.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from lowlabel.datasets.demo.draws import Draws, Field
from lowlabel.datasets.demo.fields import coverage, smooth_noise

Texture = Callable[[Field, Field, Draws], Field]

_PITCH = 3.6  # periods per diameter of the object
_PITCH_SPREAD = 1.12


def _waves_per_unit(draws: Draws, pitch: float = _PITCH) -> float:
    return math.pi * pitch * draws.ratio(_PITCH_SPREAD)


def _phase(draws: Draws) -> float:
    return draws.uniform(0.0, 2.0 * math.pi)


def _bands(x: Field, y: Field, draws: Draws) -> Field:
    pitch = _waves_per_unit(draws)
    return coverage(np.sin(pitch * y + _phase(draws)))


def _bars(x: Field, y: Field, draws: Draws) -> Field:
    pitch = _waves_per_unit(draws)
    return coverage(np.sin(pitch * x + _phase(draws)))


def _checks(x: Field, y: Field, draws: Draws) -> Field:
    pitch = _waves_per_unit(draws, 2.4)
    return coverage(np.sin(pitch * x + _phase(draws)) * np.sin(pitch * y + _phase(draws)))


def _dots(x: Field, y: Field, draws: Draws) -> Field:
    pitch = _waves_per_unit(draws, 3.2)
    u, v = pitch * x + _phase(draws), pitch * y + _phase(draws)
    return coverage(np.cos(u) + np.cos(v) - 0.75)


def _rings(x: Field, y: Field, draws: Draws) -> Field:
    pitch = _waves_per_unit(draws)
    return coverage(np.sin(pitch * np.sqrt(x * x + y * y) + _phase(draws)))


def _rays(x: Field, y: Field, draws: Draws) -> Field:
    return coverage(np.sin(8.0 * np.arctan2(y, x) + _phase(draws)))


def _waves(x: Field, y: Field, draws: Draws) -> Field:
    pitch = _waves_per_unit(draws)
    bend = 1.5 * np.sin(0.78 * pitch * x + _phase(draws))
    return coverage(np.sin(pitch * y + bend + _phase(draws)))


def _grid(x: Field, y: Field, draws: Draws) -> Field:
    pitch = _waves_per_unit(draws, 3.0)
    u, v = pitch * x + _phase(draws), pitch * y + _phase(draws)
    return coverage(np.maximum(np.cos(u), np.cos(v)) - 0.72)


def _grain(x: Field, y: Field, draws: Draws) -> Field:
    noise = smooth_noise(draws.array(16, 16), 4.5 * x + 16.0, 4.5 * y + 16.0)
    return coverage(noise - 0.52)


def _fade(x: Field, y: Field, draws: Draws) -> Field:
    return np.clip(0.5 + 0.62 * (y + draws.uniform(-0.25, 0.25)), 0.0, 1.0)


def _plain(x: Field, y: Field, draws: Draws) -> Field:
    return np.zeros(np.broadcast_shapes(x.shape, y.shape))


TEXTURES: Mapping[str, Texture] = {
    "bands": _bands,
    "dots": _dots,
    "rays": _rays,
    "grid": _grid,
    "fade": _fade,
    "bars": _bars,
    "checks": _checks,
    "rings": _rings,
    "waves": _waves,
    "grain": _grain,
    "plain": _plain,
}
