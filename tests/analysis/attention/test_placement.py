import numpy as np
import pytest
from PIL import Image

from lowlabel.analysis.attention import Placement
from lowlabel.features.transforms import ImageTransform, WholeImage

CROPS = {
    "centre": ImageTransform(resize=36, crop=32),
    "padded": ImageTransform(resize=24, crop=32),
    "oblong": ImageTransform(resize=(30, 44), crop=(28, 40)),
    "squash": ImageTransform(resize=36, crop=32, crop_mode="squash"),
    "border": ImageTransform(resize=36, crop=32, crop_mode="border"),
    "square": WholeImage(32, keep_aspect=False),
    "longest": WholeImage(50, keep_aspect=True),
}


def coordinates(size):
    """An image whose red and green say where a pixel is: its place in 255ths of each side."""
    width, height = size
    across = np.broadcast_to((np.arange(width) + 0.5) / width, (height, width))
    down = np.broadcast_to(((np.arange(height) + 0.5) / height)[:, None], (height, width))
    return np.stack([across, down, np.ones((height, width))], axis=-1)


@pytest.mark.parametrize("size", [(300, 200), (150, 310), (200, 200)])
@pytest.mark.parametrize("name", CROPS)
def test_the_covered_region_is_what_the_input_shows(name, size, tmp_path):
    transform = CROPS[name]
    pixels = (255 * coordinates(size)).round().astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    read = transform.read(tmp_path / "image.png").astype(float)
    left, top, right, bottom = transform.covered(*size)
    rows, columns = read.shape[:2]
    x = left + (np.arange(columns) + 0.5) / columns * (right - left)
    y = top + (np.arange(rows) + 0.5) / rows * (bottom - top)
    inside_x, inside_y = (  # at edges, resampling looks to one side
        (place > side / 8) & (place < 7 * side / 8)
        for place, side in zip((x, y), size, strict=True)
    )
    assert inside_x.any() and inside_y.any()
    shown = read[inside_y][:, inside_x]
    np.testing.assert_allclose(
        shown[..., 0] / 255 * size[0],
        np.broadcast_to(x[inside_x], shown.shape[:2]),
        atol=1.2 * size[0] / 255,
    )
    np.testing.assert_allclose(
        shown[..., 1] / 255 * size[1],
        np.broadcast_to(y[inside_y][:, None], shown.shape[:2]),
        atol=1.2 * size[1] / 255,
    )
    outside_x = (x < 0) | (x > size[0])
    border = np.array(transform._fill if isinstance(transform, ImageTransform) else (0, 0, 0))
    assert (read[:, outside_x] == border).all()


def test_pixels_take_the_value_of_their_patch():
    placed = Placement.of((8, 6), (2.0, 0.0, 6.0, 6.0), (3, 2))
    assert placed.columns.tolist() == [-1, -1, 0, 0, 1, 1, -1, -1]
    assert placed.rows.tolist() == [0, 0, 1, 1, 2, 2]
    values = np.arange(1.0, 7).reshape(3, 2)
    spread = placed.spread(values)
    assert spread.shape == (6, 8)
    assert spread[0].tolist() == [0, 0, 1, 1, 2, 2, 0, 0]
    assert spread[5].tolist() == [0, 0, 5, 5, 6, 6, 0, 0]
    assert placed.inside.sum() == 24
    colours = placed.spread(np.ones((3, 2, 3)))
    assert colours.shape == (6, 8, 3) and colours.sum() == 3 * 24


def test_what_is_beyond_whole_patches_is_outside():
    placed = Placement.of((10, 10), (0.0, 0.0, 10.0, 10.0), (2, 4), (0.8, 1.0))
    assert placed.rows.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, -1, -1]
    assert (placed.columns >= 0).all()


def test_an_input_with_borders_reaches_beyond_the_image():
    placed = Placement.of((4, 4), (-4.0, 0.0, 8.0, 4.0), (1, 3))
    assert placed.columns.tolist() == [1, 1, 1, 1]
