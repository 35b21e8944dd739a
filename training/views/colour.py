"""Colour jitter of uint8 pixels, in place, by compiled loops that release the GIL.

Each function agrees with torchvision's function of the same name up to 1 of 255: brightness,
contrast and saturation with those on Pillow images, hue with the one on float tensors. (On Pillow
images torchvision converts the hue through 8-bit HSV, which changes pixels by up to 15 of 255, and
more than half of them even at factor 0.)
"""

import numpy as np
from numpy.typing import NDArray

from lowlabel.processes.compiled import compiled

Pixels = NDArray[np.uint8]

# ITU-R 601 luma in 16-bit fixed point, as Pillow's conversion to "L"
_RED, _GREEN, _BLUE, _HALF = 19_595, 38_470, 7_471, 0x8000


@compiled
def _luma(red: int, green: int, blue: int) -> int:
    return (red * _RED + green * _GREEN + blue * _BLUE + _HALF) >> 16


@compiled
def _byte(value: float) -> int:
    return int(min(max(value + 0.5, 0.0), 255.0))


@compiled
def _blend_with(pixels: Pixels, level: float, factor: float) -> None:
    table = np.empty(256, np.uint8)
    for value in range(256):
        table[value] = _byte(level + factor * (value - level))
    flat = pixels.reshape(-1)
    for index in range(flat.size):
        flat[index] = table[flat[index]]


@compiled
def adjust_brightness(pixels: Pixels, factor: float) -> None:
    """Blends pixels [H, W, 3] with black; factor 0 gives black, factor 1 no change."""
    _blend_with(pixels, 0.0, factor)


@compiled
def adjust_contrast(pixels: Pixels, factor: float) -> None:
    """Blends pixels [H, W, 3] with their mean luma; factor 0 gives grey, factor 1 no change."""
    flat = pixels.reshape(-1, 3)
    total = 0
    for index in range(len(flat)):
        total += _luma(int(flat[index, 0]), int(flat[index, 1]), int(flat[index, 2]))
    _blend_with(pixels, float(int(total / len(flat) + 0.5)), factor)


@compiled
def adjust_saturation(pixels: Pixels, factor: float) -> None:
    """Blends pixels [H, W, 3] with their luma; factor 0 gives grey, factor 1 no change."""
    flat = pixels.reshape(-1, 3)
    for index in range(len(flat)):
        grey = _luma(int(flat[index, 0]), int(flat[index, 1]), int(flat[index, 2]))
        for channel in range(3):
            flat[index, channel] = _byte(grey + factor * (flat[index, channel] - grey))


@compiled
def adjust_hue(pixels: Pixels, factor: float) -> None:
    """Rotates the hue of pixels [H, W, 3] by `factor` of the circle, in [-0.5, 0.5].

    Value and chroma are preserved: the largest and the smallest channel of a pixel do not change.
    """
    flat = pixels.reshape(-1, 3)
    turn = 6.0 * factor
    for index in range(len(flat)):
        red, green, blue = float(flat[index, 0]), float(flat[index, 1]), float(flat[index, 2])
        high = max(red, green, blue)
        chroma = high - min(red, green, blue)
        if chroma == 0.0:
            continue
        if high == red:
            hue = (green - blue) / chroma
        elif high == green:
            hue = 2.0 + (blue - red) / chroma
        else:
            hue = 4.0 + (red - green) / chroma
        hue += turn
        for channel in range(3):
            angle = hue + (5.0, 3.0, 1.0)[channel]
            angle -= 6.0 * np.floor(angle / 6.0)
            flat[index, channel] = _byte(high - chroma * max(0.0, min(angle, 4.0 - angle, 1.0)))


@compiled
def to_grayscale(pixels: Pixels) -> None:
    """Replaces every channel of pixels [H, W, 3] by the luma."""
    flat = pixels.reshape(-1, 3)
    for index in range(len(flat)):
        grey = _luma(int(flat[index, 0]), int(flat[index, 1]), int(flat[index, 2]))
        flat[index, 0] = grey
        flat[index, 1] = grey
        flat[index, 2] = grey


@compiled
def solarize(pixels: Pixels) -> None:
    """Inverts channel values from 128 on."""
    flat = pixels.reshape(-1)
    for index in range(flat.size):
        if flat[index] >= 128:
            flat[index] = 255 - flat[index]
