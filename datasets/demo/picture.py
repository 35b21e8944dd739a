"""Renders scenes to pictures."""

import math

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.demo.draws import Draws, Field
from lowlabel.datasets.demo.fields import coverage, pixel_grid, smooth_noise
from lowlabel.datasets.demo.scene import Backdrop, Item, Lens, Light, Scene
from lowlabel.datasets.demo.shapes import SHAPES
from lowlabel.datasets.demo.textures import TEXTURES

Canvas = NDArray[np.float64]  # [3, size, size]

_SHADOW_SHIFT = 0.22  # of the object's radius
_SHADOW_WIDTH = 4.0  # pixels of a 64-pixel picture


def render(scene: Scene, size: int = 64) -> NDArray[np.uint8]:
    """Renders a scene.

    All arithmetic is in float64 and rounded once at the end, so that last-bit differences between
    mathematical libraries do not reach the pixels.

    Args:
        scene: The scene.
        size: Width and height in pixels.

    Returns:
        RGB values [size, size, 3].
    """
    canvas = _backdrop(scene.backdrop, size)
    for item in scene.items:
        _draw(canvas, item, scene.light.angle)
    _illuminate(canvas, scene.light)
    canvas = _photograph(canvas, scene.lens)
    np.clip(canvas, 0.0, 1.0, out=canvas)
    canvas *= 255.0
    canvas += 0.5
    return np.ascontiguousarray(canvas.astype(np.uint8).transpose(1, 2, 0))


def _backdrop(backdrop: Backdrop, size: int) -> Canvas:
    x, y = pixel_grid(size)
    draws = Draws(backdrop.seed)
    along = math.cos(backdrop.angle) * x + math.sin(backdrop.angle) * y
    mix = np.clip(0.5 + 0.4 * along, 0.0, 1.0)
    scale = 0.5 * backdrop.scale
    noise = smooth_noise(draws.array(8, 8), scale * (x + 1.0), scale * (y + 1.0))
    noise -= 0.5
    noise *= backdrop.mottle
    shade = np.add(noise, 1.0, out=noise)
    if backdrop.stripes:
        across = math.cos(backdrop.angle) * y - math.sin(backdrop.angle) * x
        stripes = np.sin(draws.uniform(6.0, 16.0) * across + draws.uniform(0.0, 6.0))
        shade += 0.5 * backdrop.stripes * stripes
    near, far = _column(backdrop.near), _column(backdrop.far)
    canvas = (far - near) * mix
    canvas += near
    canvas *= shade
    return canvas


def _draw(canvas: Canvas, item: Item, light_angle: float) -> None:
    size = canvas.shape[-1]
    rows, columns = item.pose.window(size)
    x, y = pixel_grid(size)
    x, y = x[:, columns], y[rows]
    region = canvas[:, rows, columns]
    shape = SHAPES[item.shape]
    toward = math.cos(light_angle), math.sin(light_angle)
    if item.shadow > 0.0:
        shift = _SHADOW_SHIFT * item.pose.radius
        shade = shape(*item.pose.local(x + shift * toward[0], y + shift * toward[1]))
        region *= 1.0 - item.shadow * coverage(shade, _SHADOW_WIDTH * size / 64.0)
    u, v = item.pose.local(x, y)
    inside = coverage(shape(u, v))
    accent = TEXTURES[item.texture](u, v, Draws(item.seed))
    main, second = map(_column, item.palette)
    facing = (toward[0] * (x - item.pose.x) + toward[1] * (y - item.pose.y)) / item.pose.radius
    surface = (second - main) * accent
    surface += main
    surface *= 1.0 + item.relief * facing
    surface -= region
    surface *= inside
    region += surface


def _illuminate(canvas: Canvas, light: Light) -> None:
    x, y = pixel_grid(canvas.shape[-1])
    facing = 0.5 * (math.cos(light.angle) * x + math.sin(light.angle) * y) - 0.5
    canvas -= 0.5
    canvas *= light.contrast
    canvas += 0.5
    canvas *= light.gain * (1.0 + light.falloff * facing) * _column(light.cast)


def _photograph(canvas: Canvas, lens: Lens) -> Canvas:
    for _ in range(lens.blur):
        padded = np.pad(canvas, ((0, 0), (1, 1), (1, 1)), "edge")
        rows = 0.25 * padded[:, :-2] + 0.5 * padded[:, 1:-1] + 0.25 * padded[:, 2:]
        canvas = 0.25 * rows[..., :-2] + 0.5 * rows[..., 1:-1] + 0.25 * rows[..., 2:]
    if lens.noise > 0.0:
        grains, more = Draws(lens.seed).array(2, *canvas.shape)
        grains += more
        grains -= 1.0
        grains *= lens.noise
        canvas += grains
    return canvas


def _column(colour: tuple[float, float, float]) -> Field:
    return np.array(colour)[:, None, None]
