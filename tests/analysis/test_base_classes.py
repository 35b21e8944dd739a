import numpy as np
from PIL import Image

from lowlabel.analysis.base_classes import (
    BaseClassChoices,
    draw_choices,
    tabulate_choices,
    typical_rows,
)


def count(chosen, labels):
    return BaseClassChoices.count(
        "m", np.array(chosen), np.array(labels), ("a", "b"), ("x", "y", "z")
    )


def test_shares_are_parts_of_a_class_s_images():
    choices = count([[0, 2], [0, 1], [0, 2], [1, 2]], [0, 0, 0, 1])
    np.testing.assert_allclose(choices.shares, [[1, 1 / 3, 2 / 3], [0, 1, 1]])
    assert choices.most(0, 2) == [0, 2]
    assert choices.most(1, 3) == [1, 2]
    table = tabulate_choices([choices])
    assert table["base class"].tolist() == ["x", "z", "y", "y", "z"]
    assert table["images, %"].tolist() == [100, 66.67, 33.33, 100, 100]


def test_the_typical_image_is_nearest_to_the_mean():
    features = np.array([[0, 0], [9, 9], [1, 1], [5, 0], [2, 2]], np.float32)
    assert typical_rows(features, np.array([4, 7, 4, 7, 4])) == {4: 2, 7: 1}


def test_the_picture_shows_examples_by_frequency():
    colours = {"a": "red", "b": "blue", "x": "lime", "y": "yellow", "z": "cyan"}
    choices = count([[0, 2], [0, 1], [0, 2], [1, 2]], [0, 0, 0, 1])
    picture = draw_choices(
        [choices, choices], [0], colours, lambda colour: Image.new("RGB", (30, 20), colour), top=2
    )
    row = [picture.getpixel((x, 60)) for x in range(0, picture.width, 4)]
    seen = [colour for i, colour in enumerate(row) if i == 0 or colour != row[i - 1]]
    red, lime, cyan = (255, 0, 0), (0, 255, 0), (0, 255, 255)
    assert [c for c in seen if c != (255, 255, 255)] == [red, lime, cyan, lime, cyan]
