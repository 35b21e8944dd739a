"""Names of files that are no UTF-8, which systems allow, in tables and pictures."""

import os

import numpy as np
import pytest
from PIL import Image

from lowlabel.cli import main

PIXELS = ["--model", "pixels", "--resolution", "8"]


@pytest.fixture
def images(tmp_path):
    """Two classes of four images, of which one has a name that is no UTF-8."""
    noise = np.random.default_rng(0)
    for name in (b"a", b"\xff"):
        folder = os.fsdecode(os.fsencode(tmp_path / "images") + b"/" + name)
        os.makedirs(folder)  # noqa: PTH103
        for row in range(4):
            Image.fromarray(noise.integers(0, 255, (9, 9, 3), np.uint8)).save(f"{folder}/{row}.png")
    return tmp_path / "images"


@pytest.mark.parametrize(
    ("command", "table"),
    [
        (["analyze", "leakage", "folder:{}", "folder:{}"], "leakage.csv"),
        (["analyze", "bad-data", "--dataset", "folder:{}"], "scores.csv"),
        (["predict", "{}", "--dataset", "folder:{}", "--method", "ncm"], ""),
    ],
)
def test_the_bytes_are_written_as_escapes(command, table, images, tmp_path):
    words = [word.format(images) for word in command]
    output = tmp_path / "out" if table else tmp_path / "labels.csv"
    with pytest.raises(SystemExit) as ended:
        main([*words, *PIXELS, "--output", str(output)])
    assert not ended.value.code
    assert "\\udcff/0.png" in (output / table).read_text(encoding="utf-8")
