"""Plane geometry of the demo data: poses, edges and smooth noise on a grid of pixels.

A field is a float array [height, width] with one value per pixel; a region is the set of pixels at
which its field is positive. The picture spans [-1, 1] in both directions, x to the right and y
upwards.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from lowlabel.datasets.demo.draws import Field

Window = tuple[slice, slice]

_REACH = 1.75  # radii from an object's centre to the end of its stretched outline and shadow
_MARGIN = 0.08  # room for the soft edge of a shadow; 1 is half the picture


@cache
def pixel_grid(size: int) -> tuple[Field, Field]:
    """Returns x [1, size] and y [size, 1] of the pixel centres."""
    centres = (2.0 * np.arange(size) + 1.0) / size - 1.0
    return centres[None, :], -centres[:, None]


@dataclass(frozen=True)
class Pose:
    """Position and view of an object.

    Attributes:
        x: Horizontal position of the centre, -1 (left edge) to 1 (right edge).
        y: Vertical position of the centre, -1 (bottom) to 1 (top).
        radius: Half the extent; 1 is half the picture.
        angle: Anticlockwise rotation, in radians.
        stretch: Factor on the height and divisor of the width.
        shear: Horizontal shift per height.
        tilt: Perspective: rate at which the object recedes to the right and upwards.
        mirrored: Whether left and right are swapped.
    """

    x: float = 0.0
    y: float = 0.0
    radius: float = 1.0
    angle: float = 0.0
    stretch: float = 1.0
    shear: float = 0.0
    tilt: tuple[float, float] = (0.0, 0.0)
    mirrored: bool = False

    def local(self, x: Field, y: Field) -> tuple[Field, Field]:
        """Maps points of the picture to object coordinates, about [-1, 1] on the object."""
        dx, dy = (x - self.x) / self.radius, (y - self.y) / self.radius
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        u, v = cos * dx + sin * dy, cos * dy - sin * dx
        if self.tilt != (0.0, 0.0):
            depth = 1.0 - self.tilt[0] * u
            depth -= self.tilt[1] * v
            np.maximum(depth, 0.1, out=depth)
            u /= depth
            v /= depth
        u -= self.shear * v
        u *= -self.stretch if self.mirrored else self.stretch
        v /= self.stretch
        return u, v

    def window(self, size: int) -> Window:
        """Rows and columns of a `size` × `size` picture that hold the object and its shadow."""
        half = _REACH * self.radius + _MARGIN
        return _span(-self.y, half, size), _span(self.x, half, size)


def coverage(field: Field, width: float = 1.0) -> Field:
    """Computes the fraction of each pixel that a region covers, 0 to 1.

    Args:
        field: Positive inside the region; at least 2 × 2.
        width: Width of the region's edge in pixels; 1 is sharp, more is soft.
    """
    down, right = _gradient(field), _gradient(field.T).T
    down *= down
    right *= right
    down += right
    slope: Field = np.sqrt(down)
    slope += 1e-9
    slope *= width
    covered = np.divide(field, slope, out=slope)
    covered += 0.5
    np.clip(covered, 0.0, 1.0, out=covered)
    return covered


def smooth_noise(lattice: Field, x: Field, y: Field) -> Field:
    """Interpolates periodic noise in [0, 1) that equals `lattice` [n, m] at integer x and y."""
    left, low = np.floor(x), np.floor(y)
    s, t = x - left, y - low
    s, t = s * s * (3.0 - 2.0 * s), t * t * (3.0 - 2.0 * t)
    rows, columns = lattice.shape
    i, j = low.astype(np.intp) % rows, left.astype(np.intp) % columns
    i_next, j_next = (i + 1) % rows, (j + 1) % columns
    lower: Field
    if len(x) == 1 == y.shape[1]:  # on a grid, each row of the lattice is interpolated once
        along = lattice[:, j[0]] * (1.0 - s) + lattice[:, j_next[0]] * s
        lower, upper = along[i[:, 0]], along[i_next[:, 0]]
    else:
        lower = lattice[i, j] * (1.0 - s) + lattice[i, j_next] * s
        upper = lattice[i_next, j] * (1.0 - s) + lattice[i_next, j_next] * s
    lower *= 1.0 - t
    upper *= t
    lower += upper
    return lower


def _gradient(field: Field) -> Field:
    """Change per row: `np.gradient(field, axis=0)`, which takes three times as long."""
    change = np.empty_like(field)
    np.subtract(field[2:], field[:-2], out=change[1:-1])
    change[1:-1] *= 0.5
    change[0], change[-1] = field[1] - field[0], field[-1] - field[-2]
    return change


def _span(centre: float, half: float, size: int) -> slice:
    start = math.floor((centre - half + 1.0) / 2.0 * size)
    stop = math.ceil((centre + half + 1.0) / 2.0 * size)
    return slice(min(max(start, 0), size - 2), max(min(stop, size), 2))
