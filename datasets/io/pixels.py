"""Image files as RGB pixels, by one rule for every mode of Pillow."""

import io
from contextlib import suppress

from PIL import Image

# Modes of 8 bits or less per channel: `convert("RGB")`, as the field's loaders do.
EIGHT_BIT = frozenset(
    ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
)
_JPEG, _PNG, _BMP, _GIF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF8"
_GREY_16 = b"\x10\x00"  # bit depth and colour type of a PNG


def is_deep(data: bytes) -> bool:
    """Whether an image has a mode that plain `convert("RGB")` does not read correctly.

    These are the modes outside `EIGHT_BIT`: grey levels of 16 or 32 bits, floats, and grey that is
    premultiplied with its transparency. Features of such images have their own extractor version.

    Args:
        data: The whole image file. Usually the first bytes are enough to tell.

    Returns:
        False also for data that Pillow cannot open.
    """
    if data.startswith((_JPEG, _BMP, _GIF)) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return False
    if data.startswith(_PNG) and data[12:16] == b"IHDR":
        return data[24:26] == _GREY_16
    with suppress(Exception), Image.open(io.BytesIO(data)) as image:  # plugins raise anything
        if image.format in ("ICO", "ICNS"):  # their mode is known after decoding only
            image.load()
        return image.mode not in EIGHT_BIT
    return False
