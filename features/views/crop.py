"""Random crops of an image by area and aspect ratio."""

import math

import numpy as np

_TRIALS = 10


def draw_box(
    random: np.random.Generator,
    source: tuple[int, int],
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> tuple[int, int, int, int]:
    """Draws a crop like torchvision's RandomResizedCrop.

    Tries ten times to draw an area and an aspect ratio (uniform in its logarithm) that fit; else
    takes the largest central crop with an allowed aspect ratio.

    Args:
        random: The random generator.
        source: Width and height of the image in pixels.
        scale: Smallest and largest share of the image's area.
        ratio: Smallest and largest width over height.

    Returns:
        First row, first column, height and width of the crop, in pixels.
    """
    width, height = source
    for _ in range(_TRIALS):
        area = width * height * random.uniform(*scale)
        aspect = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            top = int(random.integers(0, height - h + 1))
            return top, int(random.integers(0, width - w + 1)), h, w
    w = min(width, max(1, round(height * ratio[1])))
    h = min(height, max(1, round(width / ratio[0])))
    return (height - h) // 2, (width - w) // 2, h, w
