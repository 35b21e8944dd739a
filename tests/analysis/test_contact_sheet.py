"""Contact sheets show rows of classes, and errors are messages with exit code 2."""

import numpy as np
import pytest
from PIL import Image
from processes import start_code

from lowlabel.analysis.contact_sheet import contact_sheet
from lowlabel.datasets import ImageSet, LabelledPath, open_dataset
from lowlabel.errors import DataError, InputError

COLOURS = {"a": [(255, 0, 0), (0, 255, 0)], "b": [(0, 0, 255)]}


@pytest.fixture
def images(tmp_path) -> ImageSet:
    listing = []
    for name, colours in COLOURS.items():
        for number, colour in enumerate(colours):
            Image.new("RGB", (30, 20), colour).save(tmp_path / f"{name}{number}.png")
            listing.append(LabelledPath(f"{name}{number}.png", name))
    return ImageSet.from_listing("colours", "all", tmp_path, listing)


def test_each_class_has_a_row_with_its_first_images(images):
    sheet = contact_sheet(images, classes=5, per_class=3, side=8)
    assert sheet.size == (24, 16)
    centres = [
        [sheet.getpixel((8 * column + 4, 8 * row + 4)) for column in (0, 1, 2)] for row in (0, 1)
    ]
    white = (255, 255, 255)
    assert centres == [[*COLOURS["a"], white], [*COLOURS["b"], white, white]]
    assert contact_sheet(images, classes=1, per_class=1, side=8).size == (8, 8)


def test_boxes_are_cropped(tmp_path):
    Image.fromarray(np.uint8(np.eye(20)[..., None] * [255, 255, 255])).save(tmp_path / "a.png")
    listing = [LabelledPath("a.png", "a", (0, 10, 10, 20))]
    images = ImageSet.from_listing("boxes", "all", tmp_path, listing)
    assert np.asarray(contact_sheet(images, 1, 1, 10)).max() == 0  # the box misses the diagonal


def test_a_damaged_image_is_named(images):
    (images.root / "b0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"cannot decode .*b0\.png"):
        contact_sheet(images, 2, 1, 8)
    with pytest.raises(InputError, match="per-class=0 must be at least 1"):
        contact_sheet(images, 1, 0, 8)


COMMAND = """
import runpy
runpy.run_module("lowlabel.analysis.contact_sheet", run_name="__main__", alter_sys=True)
"""


def test_command_writes_a_sheet(image_folder, tmp_path):
    arguments = f"folder:{image_folder}", tmp_path / "sheet.png", "--per-class", 4
    assert start_code(COMMAND, tmp_path / "log", *arguments).end() == (0, "")
    images = open_dataset(f"folder:{image_folder}").load("novel")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert np.array_equal(np.asarray(sheet), np.asarray(contact_sheet(images, 10, 4, 64)))


@pytest.mark.parametrize(
    ("dataset", "output", "options", "message"),
    [
        ("folder:{}", "a.png", ["--part", "nosuch"], "no part 'nosuch'\nChoose --part from base"),
        ("folder:{}", "nowhere/a.png", [], "cannot write"),
        ("folder:{}", "a.xyz", [], "cannot write"),
        ("dmo", "a.png", [], "Did you mean demo"),
    ],
)
def test_errors_are_messages_with_exit_code_2(
    image_folder, tmp_path, dataset, output, options, message
):
    arguments = dataset.format(image_folder), tmp_path / output, *options
    code, text = start_code(COMMAND, tmp_path / "log", *arguments).end()
    assert code == 2
    assert text.startswith("error: ")
    assert message in text
    assert "Traceback" not in text
