"""Image files as RGB pixels, by one rule for every mode of Pillow.

Channels of 8 bits are read as torchvision's and timm's loaders read them: transparency is dropped,
and an EXIF orientation is not applied unless asked for. Grey levels of 16 bits are divided by 257,
so that a 16-bit copy of an 8-bit image has its pixels.
"""

import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, TiffImageFile

from lowlabel.datasets.sources.members import opened
from lowlabel.errors import DataError, UnknownNameError
from lowlabel.reading import reason

EIGHT_BIT = frozenset(
    ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
)
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
_WHITE = 65_535
_SURELY_255 = 2.0  # floats in 0 to 1 that were resampled may exceed 1 a little
MOST_PIXELS = 2 * 89_478_485  # of an image: where Pillow refuses it, too
FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "TGA", "AVIF", "JPEG2000"),
    *("ICO", "ICNS"),
)
_JPEG, _PNG, _BMP, _GIF = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF8"
_GREY_16 = b"\x10\x00"  # bit depth and colour type of a PNG

Orientation = Literal["stored", "exif"]


class ImageModeError(DataError, ValueError):
    """An intact image whose values have no known scale from black to white."""


def known_orientation(name: str) -> Orientation:
    """Returns `name` as an orientation; an unknown name is an `UnknownNameError`."""
    if name not in get_args(Orientation):
        raise UnknownNameError("orientation", name, get_args(Orientation))
    return cast(Orientation, name)


def open_rgb(path: Path) -> Image.Image:
    """Decodes an image file to RGB, in the orientation that its pixels are stored in.

    By mode:
        1, L, LA, P, PA, RGB, RGBA, RGBa, RGBX, CMYK, YCbCr, LAB, HSV: Pillow's `convert("RGB")`.
        La: As LA, after the premultiplied transparency is divided out.
        I;16, in every byte order: v / 257; v · 255 / 4095 in a TIFF file of 12 bits.
        I (32-bit integers): v / 257, of values in [0, 65535]. Values that are all in [0, 255] are
            refused, because they may have 8 or 16 bits, unless all are 0 or the format says that
            they have 16 bits (PNG, PGM, TIFF).
        F (floats): v · 255, of values in [0, 1]; v, of values in [0, 255]. Images whose largest
            value is above 1 and below 2 are refused, because they may be either.

    Levels are rounded to the nearest. A TIFF file in which 0 is white is inverted. Of several
    frames, the first is read.

    Raises:
        ImageModeError: If the mode is another one, or its values are out of range or not finite.
        OSError, ValueError, SyntaxError: If Pillow cannot decode the file.
    """
    with _decoding(path):
        if (source := opened(path)) is path:
            require_file(path)
        with Image.open(source, formats=_formats()) as image:
            _check_size(image)
            return to_rgb(image, path)


def upright(image: Image.Image, path: Path) -> Image.Image:
    """Turns or mirrors an image from `open_rgb`, or a crop of it, by its EXIF orientation.

    Raises:
        OSError, ValueError, SyntaxError: If the EXIF data are damaged. `path` is named.
    """
    with _decoding(path):
        ImageOps.exif_transpose(image, in_place=True)  # elsewhere, it copies upright images too
        return image


def to_rgb(image: Image.Image, path: Path) -> Image.Image:
    """Converts an image by the rule of `open_rgb`; `path` is named in errors."""
    image.load()  # ICO and ICNS know their mode after decoding only
    if image.mode in EIGHT_BIT:
        return image.convert("RGB")
    if image.mode == "La":
        return image.convert("LA").convert("RGB")
    try:
        levels = _levels(image)
    except ValueError as error:
        raise ImageModeError(
            f"{path} is an image of mode {image.mode} ({image.format}) {error}",
            "Save it with 8 bits per channel.",
        ) from error
    if _tiff_tag(image, PHOTOMETRIC_INTERPRETATION) == 0:  # Pillow inverts 8-bit images only
        levels = 255 - levels
    rgb = Image.fromarray(levels).convert("RGB")
    rgb.info = image.info.copy()
    return rgb


@contextmanager
def must_decode(path: Path) -> Iterator[None]:
    """Turns what `open_rgb` raises on damaged files into a `DataError`."""
    try:
        yield
    except ImageModeError:
        raise
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"cannot decode {path}: {error}", "Fix or remove the image.") from error


def with_refusal(root: Path, path: str) -> str:
    """Returns the path of an undecodable image, with the reason."""
    file = root / path
    try:
        open_rgb(file)
    except ImageModeError as error:
        return f"{path}: {error.message.removeprefix(f'{file} is ')}"
    except UnidentifiedImageError:
        return f"{path}: its content is no image of a format that is read"
    except (OSError, ValueError, SyntaxError) as error:
        why = reason(error).removeprefix(f"{file} ").replace(f" {str(file)!r}", "")
        return f"{path}: {why}"
    return path


def require_file(path: Path) -> None:
    """Raises a `ValueError` for what is no file, such as a pipe, which opening would wait for."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path} is no file")


@cache
def _formats() -> tuple[str, ...]:
    """The formats that are read, whatever a file is called; others may start programs."""
    Image.init()
    return tuple(each for each in FORMATS if each in Image.OPEN)


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"it declares {image.width:,}×{image.height:,} pixels")


def is_deep(data: bytes | memoryview) -> bool:
    """Whether an image has a mode that a plain `convert("RGB")` does not read as `open_rgb` does.

    These are the modes outside `EIGHT_BIT`. Features of such images have their own extractor
    version.

    Args:
        data: The whole image file. Usually the first bytes are enough to tell.

    Returns:
        False also for data that Pillow cannot open.
    """
    head = bytes(data[:26])
    if head.startswith((_JPEG, _BMP, _GIF)) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return False
    if head.startswith(_PNG) and head[12:16] == b"IHDR":
        return head[24:] == _GREY_16
    with suppress(Exception), Image.open(io.BytesIO(data), formats=_formats()) as image:
        _check_size(image)
        if image.format in ("ICO", "ICNS"):
            image.load()
        return image.mode not in EIGHT_BIT
    return False


def _levels(image: Image.Image) -> NDArray[np.uint8]:
    """Grey levels of an image of more than 8 bits; a `ValueError` says what is wrong with it."""
    if image.mode not in (*_SIXTEEN_BIT, "I", "F"):
        raise ValueError("which has no rule")
    values: NDArray[Any] = np.asarray(image)
    if not np.isfinite(values).all():
        raise ValueError(f"with {np.sum(~np.isfinite(values)):,} values that are NaN or infinite")
    low, high = values.min(), values.max()
    limit = 255 if image.mode == "F" else _WHITE
    if low < 0 or high > limit:
        raise ValueError(f"with values from {low:g} to {high:g}, outside 0 to {limit}")
    if image.mode == "F":
        if 1 < high < _SURELY_255:
            raise ValueError(f"with values up to {high:g}, which may be of 0 to 1 or of 0 to 255")
        return np.rint(values * (255.0 if high <= 1 else 1.0)).astype(np.uint8)
    if image.mode == "I" and 0 < high <= 255 and not _has_16_bits(image):
        raise ValueError(f"with values up to {high}, which may have 8 or 16 bits")
    white = 4_095 if _tiff_tag(image, BITSPERSAMPLE) == (12,) else _WHITE
    return ((values.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)


def _has_16_bits(image: Image.Image) -> bool:
    return image.format in ("PNG", "PPM") or _tiff_tag(image, BITSPERSAMPLE) == (16,)


def _tiff_tag(image: Image.Image, tag: int) -> object:
    return image.tag_v2.get(tag) if isinstance(image, TiffImageFile) else None


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turns what Pillow's plugins raise on damaged files into a `ValueError`."""
    try:
        yield
    except UnidentifiedImageError as error:  # of a member, Pillow knows no name
        raise UnidentifiedImageError(f"cannot identify image file {str(path)!r}") from error
    except (OSError, ValueError, SyntaxError):
        raise
    except Exception as error:
        raise ValueError(f"{path} cannot be decoded: {reason(error)}") from error
