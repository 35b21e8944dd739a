"""Alterations of pictures for `demo-copies`: crops, JPEG, blur and photographed prints.

All arithmetic is in float64 without linear algebra libraries and is rounded once at the end.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.demo.draws import Draws, Levels
from lowlabel.datasets.demo.fields import Pose, pixel_grid

Picture = NDArray[np.float64]  # [side, side, 3], 0 to 255
Attack = Callable[[Picture, Draws], Picture]

_BLOCK = 8  # side of the blocks that JPEG transforms, in pixels
_TIE = 1e-6  # breaks the ties of rounding the same way everywhere


def crop(picture: Picture, draws: Draws) -> Picture:
    """Keeps 20 to 60 percent of the area."""
    radius = 1.0 / math.sqrt(draws.uniform(0.2, 0.6))
    room = radius - 1.0
    return _view(picture, Pose(draws.uniform(-room, room), draws.uniform(-room, room), radius))


def jpeg(picture: Picture, draws: Draws) -> Picture:
    """Rounds the cosine transform of each block, as JPEG of low quality does."""
    step = draws.uniform(40.0, 90.0)
    side = len(picture)
    wave = (2.0 * np.arange(_BLOCK) + 1.0)[None, :] * np.arange(_BLOCK)[:, None]
    basis = 0.5 * np.cos(math.pi / (2 * _BLOCK) * wave)
    basis[0] = math.sqrt(1.0 / _BLOCK)
    blocks = (picture - 128.0).reshape(side // _BLOCK, _BLOCK, side // _BLOCK, _BLOCK, 3)
    waves = np.einsum("ua,iajbc,vb->iujvc", basis, blocks, basis)
    steps = step * (1.0 + 0.3 * np.add.outer(np.arange(_BLOCK), np.arange(_BLOCK)))
    steps = steps[None, :, None, :, None]
    waves = np.floor(waves / steps + 0.5 + _TIE) * steps
    rounded: Picture = np.einsum("ua,iujvc,vb->iajbc", basis, waves, basis)
    return rounded.reshape(picture.shape) + 128.0


def blur(picture: Picture, draws: Draws) -> Picture:
    """Averages each pixel with its neighbours by binomial weights, two to four times."""
    for _ in range(2 + draws.integer(3)):
        padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)), "edge")
        rows = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
        picture = 0.25 * rows[:, :-2] + 0.5 * rows[:, 1:-1] + 0.25 * rows[:, 2:]
    return picture


def print_out(picture: Picture, draws: Draws) -> Picture:
    """Prints the picture in pale ink and photographs the sheet at an angle on a table."""
    pose = Pose(
        draws.uniform(-0.1, 0.1),
        draws.uniform(-0.1, 0.1),
        draws.uniform(0.75, 0.95),
        draws.uniform(-0.15, 0.15),
        tilt=(draws.uniform(-0.2, 0.2), draws.uniform(-0.2, 0.2)),
    )
    cast = np.array([draws.ratio(1.15), draws.ratio(1.1), draws.ratio(1.2)])
    pale = (128.0 + draws.uniform(0.5, 0.8) * (picture - 128.0)) * cast
    table = 255.0 * np.array([draws.uniform(0.3, 0.8)] * 3)
    grain = draws.array(*picture.shape) - 0.5
    return _view(pale, pose, table) + 12.0 * grain


ATTACKS: Mapping[str, Attack] = {"crop": crop, "jpeg": jpeg, "blur": blur, "print": print_out}


def attack(levels: Levels, draws: Draws) -> Levels:
    """Applies one or two different attacks to uint8 [side, side, 3]."""
    names = list(ATTACKS)
    first = draws.integer(len(names))
    chosen = [first]
    if draws.chance(0.5):
        chosen.append((first + 1 + draws.integer(len(names) - 1)) % len(names))
    picture = levels.astype(np.float64)
    for index in chosen:
        picture = ATTACKS[names[index]](picture, draws)
    return np.floor(np.clip(picture, 0.0, 255.0) + 0.5).astype(np.uint8)


def _view(picture: Picture, pose: Pose, around: NDArray[np.float64] | None = None) -> Picture:
    """Views the picture in a pose; outside its edges, it shows `around` or repeats the edge."""
    side = len(picture)
    u, v = pose.local(*pixel_grid(side))
    column = np.clip((u + 1.0) * side / 2.0 - 0.5, 0.0, side - 1.0)
    row = np.clip((1.0 - v) * side / 2.0 - 0.5, 0.0, side - 1.0)
    left = np.minimum(np.floor(column).astype(np.intp), side - 2)
    top = np.minimum(np.floor(row).astype(np.intp), side - 2)
    right, below = (column - left)[..., None], (row - top)[..., None]
    upper = picture[top, left] * (1.0 - right) + picture[top, left + 1] * right
    lower = picture[top + 1, left] * (1.0 - right) + picture[top + 1, left + 1] * right
    seen: Picture = upper * (1.0 - below) + lower * below
    if around is None:
        return seen
    inside = (np.abs(u) <= 1.0) & (np.abs(v) <= 1.0)
    return np.where(inside[..., None], seen, around)
