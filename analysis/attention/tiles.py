"""An image with the attention of its patches, at the image's own resolution."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlabel.analysis.attention.placement import Placement

_HEAT = 0.6  # share of the colour
_DIM = 0.3  # brightness of what is outside the mask or the model's input
_LINE = np.array((255, 255, 255), dtype=np.uint8)
_LINE_PARTS = 200  # of the image's longest side: the width of the line around a mask


def heat_tile(
    image: Image.Image,
    attention: NDArray[np.float64],
    mask: NDArray[np.bool_],
    placement: Placement,
) -> Image.Image:
    """Colours an image by attention, from its smallest value (blue) to its largest (yellow).

    Args:
        image: The image, in RGB.
        attention: [rows, columns] of patches.
        mask: Patches to draw a line around, [rows, columns].
        placement: The patch of each pixel.

    Returns:
        A picture of the image's size. What the model does not see is dark.
    """
    from matplotlib import colormaps

    low, high = attention.min(), attention.max()
    scaled = (attention - low) / (high - low) if high > low else np.zeros(attention.shape)
    colours = (255 * colormaps["viridis"](scaled)[..., :3]).round().astype(np.uint8)
    heat = Image.fromarray(placement.spread(colours))
    pixels = np.array(_where(placement.inside, Image.blend(image, heat, _HEAT), _dimmed(image)))
    pixels[_outline(placement.spread(mask))] = _LINE
    return Image.fromarray(pixels)


def mask_tile(image: Image.Image, mask: NDArray[np.bool_], placement: Placement) -> Image.Image:
    """Shows the patches in a mask as they are, and the rest of the image dark."""
    return _where(placement.spread(mask), image, _dimmed(image))


def colour_tile(
    image: Image.Image, colours: NDArray[np.float64], placement: Placement
) -> Image.Image:
    """Shows the colour of each patch, RGB [rows, columns, 3] in 0 to 1, in its place."""
    painted = Image.fromarray(placement.spread((255 * colours).round().astype(np.uint8)))
    return _where(placement.inside, painted, _dimmed(image))


def _where(mask: NDArray[np.bool_], inside: Image.Image, outside: Image.Image) -> Image.Image:
    return Image.composite(inside, outside, Image.fromarray(mask))


def _dimmed(image: Image.Image) -> Image.Image:
    return Image.blend(Image.new("RGB", image.size), image, _DIM)


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a mask that are near its edge."""
    width = max(1, round(max(mask.shape) / _LINE_PARTS))
    around = np.pad(mask, width, mode="edge")  # the image's own edge has no line
    rows, columns = mask.shape
    inner = mask.copy()
    for step in (0, 2 * width):
        inner &= around[step : step + rows, width : width + columns]
        inner &= around[width : width + rows, step : step + columns]
    return mask & ~inner
