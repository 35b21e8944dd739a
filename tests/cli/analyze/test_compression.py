"""`lowlabel analyze compression`."""

import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from lowlabel.cli import app
from lowlabel.errors import InputError


def call(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_table_and_a_picture_are_written(image_folder, tmp_path):
    command = ("analyze", "compression", "--dataset", f"folder:{image_folder}", "--model", "pixels")
    printed = call(*command, "--post", "int8", "--post", "binary", "--tasks", 0,
                   "--output", tmp_path / "out")  # fmt: skip
    (table,) = (tmp_path / "out").glob("*.csv")
    rows = pd.read_csv(table)
    assert rows["embedding"].unique().tolist() == ["float32", "int8", "binary"]
    assert (rows.groupby("embedding", sort=False)["bytes"].first() == [12288, 3072, 384]).all()
    assert "recall@1" in printed
    assert Image.open(table.with_suffix(".png")).size[0] > 300


def test_a_model_is_needed(tmp_path):
    with pytest.raises(InputError, match="needs a --model"):
        call("analyze", "compression", "--output", tmp_path)
