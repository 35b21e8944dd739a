"""Opens an image file, or a box of it, in RGB."""

from pathlib import Path

from PIL import Image

from lowlabel.datasets.images import Box
from lowlabel.datasets.io.pixels import Orientation, open_rgb, upright
from lowlabel.errors import DataError


def open_image(
    path: Path, box: Box | None, orientation: Orientation = "stored"
) -> tuple[Image.Image, tuple[int, int]]:
    """Opens an image file in RGB, cropped to a box if there is one, then turned.

    Args:
        path: The file.
        box: Region to crop to, in stored pixels whatever the orientation; clipped to the image.
        orientation: "stored" or "exif": whether to turn the image by its EXIF orientation.

    Returns:
        The image, and the sides of the whole image as it is stored.

    Raises:
        OSError, ValueError, SyntaxError: If Pillow cannot decode the file.
        DataError: If most of the box lies outside the image.
    """
    rgb = open_rgb(path)
    whole = rgb.size
    if box is not None:
        rgb = _crop(rgb, box, path)
    return (upright(rgb, path) if orientation == "exif" else rgb), whole


def _crop(rgb: Image.Image, box: Box, path: Path) -> Image.Image:
    left, top, right, bottom = (round(edge) for edge in box)
    area = max(right - left, 1) * max(bottom - top, 1)
    left, top, right, bottom = (
        max(left, 0),
        max(top, 0),
        min(right, rgb.width),
        min(bottom, rgb.height),
    )
    if 2 * max(right - left, 0) * max(bottom - top, 0) < area:
        raise DataError(
            f"the box {box} is not inside {path}, which has {rgb.width}×{rgb.height} pixels",
            "Use images and boxes from the same publisher, both unchanged.",
        )
    return rgb.crop((left, top, right, bottom))
