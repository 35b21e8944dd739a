import io
from functools import cache

import numpy as np
import pytest
from PIL import Image

from lowlabel.datasets.io.pixels import EIGHT_BIT, is_deep

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

MODES = (
    *("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"),
    *("I", "F", "I;16", "I;16L", "I;16B", "I;16N"),
)


@cache
def files() -> dict[tuple[str, str], bytes]:
    """An image of every mode in every format that Pillow writes and reads, by both names."""
    Image.init()
    found = {}
    for mode in MODES:
        for kind in sorted(Image.SAVE):
            file = io.BytesIO()
            try:
                Image.new(mode, (16, 16), None if mode == "PA" else 1).save(file, kind)
                Image.open(file).load()
            except Exception:  # a mode that the format does not hold, in any of its ways
                continue
            found[mode, kind] = file.getvalue()
    return found


def decoded_mode(data: bytes) -> str:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image.mode


def test_an_image_is_deep_exactly_if_its_decoded_mode_has_more_than_8_bits():
    wrong = [name for name, data in files().items() if is_deep(data) != _is_deep_decoded(data)]
    assert wrong == []
    assert {("I;16", "PNG"), ("I;16B", "TIFF"), ("F", "TIFF"), ("I", "PPM")} <= files().keys()
    assert {is_deep(data) for data in files().values()} == {True, False}


def _is_deep_decoded(data: bytes) -> bool:
    return decoded_mode(data) not in EIGHT_BIT


@pytest.mark.parametrize(
    "data", [b"", b"BM", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"no"]
)
def test_what_is_no_image_is_not_deep(data):
    assert not is_deep(data)


def test_a_deep_image_with_any_byte_changed_or_cut_off_raises_nothing():
    random = np.random.default_rng(0)
    for data in (files()["I;16", "TIFF"], files()["F", "TIFF"], files()["I;16", "PNG"]):
        for _ in range(200):
            damaged = bytearray(data)
            damaged[random.integers(len(damaged))] = random.integers(256)
            is_deep(bytes(damaged[: random.integers(len(damaged) + 1)]))
