"""Every mode of Pillow has one rule, and `is_deep` tells where it is not `convert("RGB")`."""

import io
import os
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from lowlabel.datasets.io.contents import read_contents
from lowlabel.datasets.io.pixels import (
    FORMATS,
    ImageModeError,
    is_deep,
    known_orientation,
    must_decode,
    open_rgb,
    to_rgb,
    upright,
    with_refusal,
)
from lowlabel.errors import DataError, UnknownNameError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")

CHANNELS = {"LA": 2, "La": 2, "PA": 2, "RGB": 3, "YCbCr": 3, "LAB": 3, "HSV": 3}
EIGHT_BIT = (
    *("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"),
)
SIXTEEN_BIT = {"I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I;16N": "=u2"}
LEVELS = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
DIVIDED = np.rint(LEVELS / 257).astype(np.uint8)
HERE = Path("image")


def noise(mode: str, side: int = 16) -> Image.Image:
    """An image of random values over the whole range of the mode."""
    random = np.random.default_rng(0)
    if mode in ("I", *SIXTEEN_BIT):
        values = random.integers(0, 65_536, (side, side))
        return image_of(mode, values)
    if mode == "F":
        return Image.fromarray(random.random((side, side), np.float32))
    if mode in ("1", "P"):
        return noise("RGB", side).convert(mode)
    channels = 1 if mode == "L" else CHANNELS.get(mode, 4)
    data = random.integers(0, 256, side * side * channels, np.uint8).tobytes()
    image = Image.frombytes(mode, (side, side), data)
    if mode == "PA":
        image.putpalette(random.integers(0, 256, 768, np.uint8).tobytes())
    return image


def image_of(mode: str, values: np.ndarray) -> Image.Image:
    """An image of integers in the mode I or one of 16 bits."""
    data = np.asarray(values).astype(SIXTEEN_BIT.get(mode, "=i4")).tobytes()
    return Image.frombytes(mode, values.shape[::-1], data)


def grey_tiff(values: np.ndarray, bits: int, photometric: int = 1, sample_format: int = 1) -> bytes:
    """A little-endian TIFF file with one strip of grey samples."""
    height, width = values.shape
    if bits == 12:
        first, second = values.reshape(-1, 2).astype(int).T
        packed = [first >> 4, (first & 15) << 4 | second >> 8, second & 255]
        strip = np.stack(packed, axis=1).astype(np.uint8).tobytes()
    else:
        strip = values.tobytes()
    entries = {
        **{256: width, 257: height, 258: bits, 259: 1, 262: photometric},
        **{273: 8 + 2 + 12 * 10 + 4, 277: 1, 278: height, 279: len(strip), 339: sample_format},
    }
    fields = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + fields + bytes(4) + strip


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def written(data: bytes, path: Path) -> Path:
    path.write_bytes(data)
    return path


@cache
def files() -> dict[tuple[str, str], bytes]:
    """Noise of every mode in every format that is read and Pillow writes, by both names."""
    Image.init()
    found = {}
    for mode in (*EIGHT_BIT, "I", "F", *SIXTEEN_BIT):
        slow = {"ICNS"} if mode not in ("RGB", "I;16") else set()  # icons of 1024 pixels
        for kind in sorted(Image.SAVE.keys() & {*FORMATS} - slow):
            file = io.BytesIO()
            try:
                noise(mode).save(file, kind)
                Image.open(file).load()
            except Exception:  # a mode that the format does not hold, refused in any of its ways
                continue
            found[mode, kind] = file.getvalue()
    return found


def test_an_image_is_deep_exactly_if_its_mode_has_more_than_8_bits(tmp_path):
    """Other images keep the pixels of a plain conversion, and so their features."""
    changed = set()
    for name, data in files().items():
        path = written(data, tmp_path / "image")
        image = Image.open(path)
        before = np.asarray(image.convert("RGB"))
        assert is_deep(data) == (image.mode not in EIGHT_BIT), name
        try:
            same = np.array_equal(open_rgb(path), before)
        except ImageModeError:
            same = False
        assert same or is_deep(data), name
        changed |= set() if same else {name}
    expected = {("I;16", "PNG"), ("I;16B", "TIFF"), ("F", "TIFF"), ("I", "TIFF"), ("I", "PPM")}
    assert expected <= changed


@pytest.mark.parametrize("mode", EIGHT_BIT)
def test_modes_of_8_bits_are_read_as_before(mode):
    image = noise(mode)
    np.testing.assert_array_equal(to_rgb(image, HERE), image.convert("RGB"))


def test_transparency_is_dropped_from_colours_and_palettes(tmp_path):
    shown = noise("RGB").quantize(16)
    path = saved(shown, tmp_path / "p.png", transparency=3)
    np.testing.assert_array_equal(open_rgb(path), shown.convert("RGB"))
    clear = noise("RGBA")
    np.testing.assert_array_equal(to_rgb(clear, HERE), np.asarray(clear)[..., :3])


def test_premultiplied_grey_is_read_as_grey():
    grey = Image.merge("LA", [noise("L"), Image.new("L", (16, 16), 255)])
    np.testing.assert_array_equal(to_rgb(grey.convert("La"), HERE), grey.convert("RGB"))


@pytest.mark.parametrize("mode", [*SIXTEEN_BIT, "I"])
def test_16_bits_are_divided_by_257_and_rounded(mode):
    pixels = np.asarray(to_rgb(image_of(mode, LEVELS), HERE))
    np.testing.assert_array_equal(pixels, np.repeat(DIVIDED[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("mode", "name", "options"),
    [
        ("I;16", "little.tif", {}),
        ("I;16B", "big.tif", {}),
        ("I;16", "little-packed.tif", {"compression": "tiff_lzw"}),
        ("I;16B", "big-packed.tif", {"compression": "tiff_adobe_deflate"}),
        ("I;16", "grey.png", {}),
        ("I", "32.tif", {}),
        ("I", "grey.pgm", {}),
        ("I;16", "grey.jp2", {}),
    ],
)
def test_a_16_bit_copy_has_the_pixels_of_its_8_bit_original(tmp_path, mode, name, options):
    original = noise("L", 32)
    deep = image_of(mode, np.asarray(original).astype(np.uint16) * 257)
    try:
        path = saved(deep, tmp_path / name, **options)
    except KeyError:
        pytest.skip(f"this Pillow cannot write {name}")
    np.testing.assert_array_equal(open_rgb(path), original.convert("RGB"))


def test_tiff_files_of_12_bits_or_with_a_white_zero_have_their_own_scale(tmp_path):
    twelve = np.arange(4_096).reshape(64, 64)
    path = written(grey_tiff(twelve, 12), tmp_path / "12.tif")
    expected = np.rint(twelve / 4_095 * 255)
    np.testing.assert_array_equal(np.asarray(open_rgb(path))[..., 0], expected)
    path = written(grey_tiff(LEVELS, 16, photometric=0), tmp_path / "inverted.tif")
    np.testing.assert_array_equal(np.asarray(open_rgb(path))[..., 0], 255 - DIVIDED)
    dark = written(grey_tiff(LEVELS[:1] // 2, 16, sample_format=2), tmp_path / "signed.tif")
    np.testing.assert_array_equal(
        np.asarray(open_rgb(dark))[..., 0], np.rint(LEVELS[:1] // 2 / 257)
    )


def test_floats_are_levels_in_0_to_1_or_in_0_to_255():
    shares = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    expected = np.arange(256).reshape(16, 16)
    for scale in (1, 255):
        pixels = np.asarray(to_rgb(Image.fromarray(shares * np.float32(scale)), HERE))
        np.testing.assert_array_equal(pixels[..., 2], expected)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.float32([[0, np.nan]]), "mode F (TIFF) with 1 values that are NaN or infinite"),
        (np.float32([[0, np.inf]]), "mode F (TIFF) with 1 values that are NaN or infinite"),
        (np.float32([[-0.5, 1]]), "mode F (TIFF) with values from -0.5 to 1, outside 0 to 255"),
        (np.float32([[0, 256]]), "mode F (TIFF) with values from 0 to 256, outside 0 to 255"),
        (
            np.float32([[0, 1.25]]),
            "mode F (TIFF) with values up to 1.25, which may be of 0 to 1 or of 0 to 255",
        ),
        (np.int32([[0, 65_536]]), "mode I (TIFF) with values from 0 to 65536, outside 0 to 65535"),
        (np.int32([[-1, 3]]), "mode I (TIFF) with values from -1 to 3, outside 0 to 65535"),
        (np.int32([[0, 255]]), "mode I (TIFF) with values up to 255, which may have 8 or 16 bits"),
    ],
)
def test_values_without_a_known_scale_are_refused_with_the_mode_and_the_file(
    tmp_path, values, reason
):
    path = saved(Image.fromarray(values), tmp_path / "image.tif")
    with pytest.raises(ImageModeError) as caught:
        open_rgb(path)
    assert caught.value.message == f"{path} is an image of {reason}"
    assert with_refusal(tmp_path, "image.tif") == f"image.tif: an image of {reason}"
    assert is_deep(path.read_bytes())


def test_dark_images_are_read_where_the_format_says_16_bits_or_all_is_black(tmp_path):
    dark = np.full((8, 8), 200, np.uint16)
    for name in ("dark.png", "dark.pgm", "dark.tif"):
        mode = "I" if name == "dark.pgm" else "I;16"
        assert np.max(open_rgb(saved(image_of(mode, dark), tmp_path / name))) == 1
    assert np.max(to_rgb(image_of("I", dark * 0), HERE)) == 0


def test_a_mode_without_a_rule_is_refused_by_name():
    try:
        image = Image.new("BGR;15", (2, 2))
    except ValueError:
        pytest.skip("this Pillow has no further mode")
    with pytest.raises(ImageModeError, match=r"image is an image of mode BGR;15 .*has no rule"):
        to_rgb(image, HERE)


@pytest.mark.parametrize("data", [b"", b"BM", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0"])
def test_what_is_no_image_is_damage_and_not_deep(tmp_path, data):
    path = written(data, tmp_path / "image.tif")
    assert not is_deep(data)
    with pytest.raises((OSError, ValueError, SyntaxError)) as caught:
        open_rgb(path)
    assert not isinstance(caught.value, ImageModeError)
    with pytest.raises(DataError, match=r"cannot decode .*image\.tif"), must_decode(path):
        open_rgb(path)
    why = "image.tif: its content is no image of a format that is read"
    assert with_refusal(tmp_path, "image.tif") == why


def test_damage_anywhere_raises_what_callers_take_as_damage(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4_096)
    random = np.random.default_rng(0)
    one_each = {kind: data for (_, kind), data in files().items() if kind != "ICNS"}
    for data in one_each.values():
        for _ in range(30):
            damaged = bytearray(data)
            damaged[random.integers(min(len(data), 64))] = random.integers(256)
            path = written(bytes(damaged[: random.integers(len(data)) + 1]), tmp_path / "image")
            is_deep(path.read_bytes())
            try:
                open_rgb(path)
            except (OSError, ValueError, SyntaxError):
                continue


def test_an_image_that_claims_too_many_pixels_is_damage(tmp_path, monkeypatch):
    path = saved(noise("RGB"), tmp_path / "bomb.bmp")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match=r"bomb\.bmp cannot be decoded: .*exceeds limit"):
        open_rgb(path)


@pytest.mark.parametrize("mode", ["RGB", "L", "I;16"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_turns_by_exif_and_stored_does_not(tmp_path, mode, orientation):
    image = noise(mode).crop((0, 0, 16, 9))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(image, tmp_path / "image.png", exif=exif)
    stored = open_rgb(path)
    np.testing.assert_array_equal(stored, to_rgb(image, path))
    image.info["exif"] = exif.tobytes()
    turned = ImageOps.exif_transpose(to_rgb(image, path))
    np.testing.assert_array_equal(upright(stored, path), turned)
    assert turned.size == ((9, 16) if orientation > 4 else (16, 9))


def test_a_tiff_file_is_turned_once_whatever_is_asked_for(tmp_path):
    """Pillow turns it while it decodes."""
    image = noise("RGB").crop((0, 0, 16, 9))
    path = saved(image, tmp_path / "image.tif", tiffinfo={0x0112: 6})
    turned = image.transpose(Image.Transpose.ROTATE_270)
    np.testing.assert_array_equal(open_rgb(path), turned)
    np.testing.assert_array_equal(upright(open_rgb(path), path), turned)


def test_an_unknown_orientation_is_an_error_with_the_known_ones():
    with pytest.raises(UnknownNameError, match=r"orientation 'up'\nKnown: exif, stored"):
        known_orientation("up")


def test_only_image_formats_are_read_whatever_a_file_is_called(tmp_path):
    """Pillow starts Ghostscript for EPS."""
    path = written(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", tmp_path / "image.png")
    with pytest.raises(OSError, match="cannot identify"):
        open_rgb(path)


def test_headers_of_any_size_take_no_memory(tmp_path):
    side = 2_000_000
    png = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    ppm = f"P6 {side} {side} 255\n".encode()
    bmp = bytearray(saved(noise("RGB"), tmp_path / "a.bmp").read_bytes())
    bmp[18:26] = struct.pack("<ii", side, side)
    gif = bytearray(saved(noise("L"), tmp_path / "a.gif").read_bytes())
    gif[6:10] = b"\xff\xff\xff\xff"
    for data in (png + _chunk(b"IDAT", b"") + _chunk(b"IEND", b""), ppm, bytes(bmp), bytes(gif)):
        path = written(data, tmp_path / "image.png")
        assert not is_deep(data)
        with pytest.raises(ValueError, match=r"image\.png cannot be decoded: .*limit|declares"):
            open_rgb(path)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_among_the_images_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "image.png")
    with pytest.raises(ValueError, match="is no file"):
        open_rgb(tmp_path / "image.png")
    assert with_refusal(tmp_path, "image.png") == "image.png: is no file"
    with pytest.raises(DataError, match="a listed image is no file"):
        list(read_contents(tmp_path, ["image.png"]))
