from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowlabel.cli import main
from lowlabel.cli.analyze.attention import _titles

SMALL = "img_size=32,patch_size=8,embed_dim=32,depth=2,num_heads=2"
VIT = f"random:vit_tiny_patch16_224,{SMALL}"


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["analyze", "attention", *map(str, arguments)])
    return ended.value.code or 0


@pytest.fixture
def photos(tmp_path):
    """Images in colour, in grey and with transparency, of different sizes."""
    random = np.random.default_rng(0)
    files = []
    for name, size, mode in (
        ("a.png", (200, 170), "RGB"),
        ("b.png", (170, 220), "L"),
        ("c.png", (40, 40), "RGBA"),
    ):
        pixels = random.integers(0, 256, (*size[::-1], 4), dtype=np.uint8)
        Image.fromarray(pixels, "RGBA").convert(mode).save(tmp_path / name)
        files.append(str(tmp_path / name))
    return files


def test_images_and_models_are_drawn_in_one_picture(photos, tmp_path, capsys):
    models = ["--model", VIT, "--model", f"{VIT},reg_tokens=2"]
    output = tmp_path / "out" / "picture.png"
    assert call(*photos, *models, "--output", output, "--foreground") == 0
    assert f"written: {output}" in capsys.readouterr().err
    both = Image.open(output)
    assert call(photos[0], "--model", VIT, "--output", output) == 0
    one = Image.open(output)
    assert both.height > 5 * one.height
    drawn, source = np.asarray(one), np.asarray(Image.open(photos[0]))
    corner = next(
        (y, x)
        for y in range(60)
        for x in range(60)
        if (drawn[y, x] == source[0, 0]).all() and (drawn[y, x + 1] == source[0, 1]).all()
    )
    y, x = corner
    assert (drawn[y : y + 170, x : x + 200] == source).all()  # at its own resolution


def test_patch_colours_alone_need_no_class_token(photos, tmp_path):
    averaged = f"{VIT},class_token=False,global_pool=avg"
    output = tmp_path / "picture.png"
    arguments = (*photos, "--model", averaged, "--output", output)
    assert call(*arguments, "--show", "pca") == 0
    assert output.is_file()
    assert call(*arguments) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "random:resnet10t", "--resolution", "32"], "convolutional networks"),
        ([], "attention needs a --model"),
        (["--model", VIT, "--threshold", "0"], "threshold=0.0 must be above 0"),
        (["--model", VIT, "--block", "7"], "unknown block with class attention '7'"),
        (["--model", VIT, "--show", "patches"], "unknown picture 'patches'"),
        (["--model", VIT, "--show", "attention", "--foreground"], "--show pca"),
        (["--model", VIT, "--output", "picture.txt"], "Name a .png or .jpg file"),
    ],
)
def test_bad_options_exit_with_2(photos, arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(photos[0], *arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["text", "missing", "folder"])
def test_what_is_no_image_exits_with_2(kind, tmp_path, capsys):
    path = tmp_path / "thing.png"
    if kind == "text":
        path.write_text("no image")
    elif kind == "folder":
        path.mkdir()
    assert call(path, "--model", VIT) == 2
    assert str(path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("paths", "titles"),
    [
        (["x/a.png", "y/b.png"], ["a.png", "b.png"]),
        (["x/a.png", "y/a.png", "b.png"], ["x/a.png", "y/a.png", "b.png"]),
        (["/k/x/a.png", "/l/x/a.png"], ["k/x/a.png", "l/x/a.png"]),
        (["a.png", "/a.png"], ["a.png", "/a.png"]),
    ],
)
def test_images_of_one_name_are_told_apart(paths, titles):
    assert _titles([Path(path) for path in paths]) == titles
