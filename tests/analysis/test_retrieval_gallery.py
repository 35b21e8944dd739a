import numpy as np
from PIL import Image

from lowlabel.analysis import Tile, draw_gallery

GREEN, RED, GREY = (46, 139, 87), (205, 55, 50), (150, 150, 150)


def tile(value, right=None):
    return Tile(
        Image.new("RGB", (60, 40), (value,) * 3), ("0.5", "a class of a long, long name"), right
    )


def test_frames_tell_right_from_wrong():
    row = (tile(10), [tile(20, True), tile(30, False), tile(40)])
    pixels = np.asarray(draw_gallery([row, row]))
    edges = [tuple(pixels[21, 20 + 128 + 30 + column * 138 + 1]) for column in range(3)]
    assert edges == [GREEN, RED, GREY]
    assert pixels.shape[0] == 2 * 20 + 2 * (128 + 34 + 10)
    assert draw_gallery([]).size[1] == 40


def test_a_longer_caption_makes_rows_higher_so_that_no_line_lies_below_them():
    def drawn(lines):
        tile = Tile(Image.new("RGB", (16, 16)), ("line",) * lines)
        return np.asarray(draw_gallery([(tile, [])]))

    assert len(drawn(1)) == len(drawn(2)) < len(drawn(3)) < len(drawn(4))
    assert (drawn(4)[-20:] == 255).all()  # the lower margin
