"""Pictures of queries: `lowlabel analyze retrieval`, and `lowlabel run --worst`."""

import json

import numpy as np
import pytest
from PIL import Image

from lowlabel.cli import main

GREEN, RED, GREY = (46, 139, 87), (205, 55, 50), (150, 150, 150)


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code or 0


@pytest.fixture
def data(image_folder):
    return ("--model", "pixels", "--resolution", "4", "--dataset", f"folder:{image_folder}")


def test_the_worst_or_the_chosen_queries_are_drawn(data, image_folder, tmp_path, home, capsys):
    assert call("analyze", "retrieval", *data, "--worst", "3", "--top", "4") == 0
    with Image.open(home / "results" / "pixels-folder-images-retrieval.png") as picture:
        assert picture.size == (2 * 20 + 128 + 30 + 4 * 138, 2 * 20 + 3 * 172)
    target = tmp_path / "new" / "out.png"
    outsider = image_folder / "base" / "base0" / "0.png"
    chosen = ("--query", "novel1/3.png", "--query", str(outsider), "--output", str(target))
    assert call("analyze", "retrieval", *data, *chosen, "--post", "aqe:2") == 0
    with Image.open(target) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape[0] == 2 * 20 + 2 * 172
    first = {tuple(pixels[21, 20 + 128 + 30 + column * 138 + 1]) for column in range(10)}
    second = {tuple(pixels[21 + 172, 20 + 128 + 30 + column * 138 + 1]) for column in range(10)}
    assert first <= {GREEN, RED}
    assert second == {GREY}
    assert str(target) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--query", "3.png"), "3 images of the dataset are called 3.png"),
        (("--query", "nowhere.png"), "neither an image in"),
        (("--top", "18"), "18 neighbours were requested from a gallery with 17"),
        (("--post", "whitening:3"), "unknown post-processing"),
        (("--output", "out.gif"), "cannot write a picture to out.gif"),
    ],
)
def test_bad_options_are_refused(data, options, message, capsys):
    assert call("analyze", "retrieval", *data, *options) == 2
    assert message in capsys.readouterr().err


def test_run_draws_its_worst_queries(data, tmp_path, capsys):
    output = tmp_path / "out"
    arguments = ("run", "--suite", "retrieval", *data, "--k", "1", "--output", str(output))
    assert call(*arguments, "--worst", "2", "--post", "aqe:2") == 0
    (picture,) = (output / "galleries").glob("*.png")
    (record,) = (output / "records").glob("*.json")
    assert picture.stem == record.stem
    assert json.loads(record.read_text())["experiment"]["method"]["spec"] == "cosine+aqe:2"
    capsys.readouterr()
    assert call(*arguments, "--worst", "-1") == 2
    assert "must be an integer of at least 0" in capsys.readouterr().err
