import dataclasses
import json
import re
import sys

import pytest
from PIL import Image

from lowlabel.cli import main


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["analyze", "map", *map(str, arguments)])
    return ended.value.code or 0


@pytest.fixture
def data(image_folder):
    return ("--resolution", "8", "--dataset", f"folder:{image_folder}", "--neighbours", "5")


def page_data(file):
    text = file.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_a_picture_and_a_page_show_the_part_for_each_model(data, tmp_path, capsys):
    flags = tmp_path / "flags.csv"
    flags.write_text("path,reason\nnovel/novel1/3.png,odd\nbase/base0/0.png,other\n")
    output = tmp_path / "new" / "map.png"
    models = ("--model", "pixels", "--model", "random:resnet10t")
    chosen = ("--output", output, "--flags", flags, "--thumbnails", "7", "--k", "3")
    assert call(*models, *data, *chosen) == 0
    said = capsys.readouterr().err
    assert "flags: 1 of 2 images are not in novel" in said
    assert "the page shows 7 of 18 images" in said
    with Image.open(output) as picture:
        assert picture.size == (1440, 720)
    shown = page_data(output.with_suffix(".html"))
    assert [model["name"] for model in shown["models"]] == ["pixels", "random:resnet10t"]
    assert [len(model["points"]) for model in shown["models"]] == [18, 18]
    assert shown["classes"] == ["novel0", "novel1", "novel2"]
    row = shown["paths"].index("novel/novel1/3.png")
    assert shown["flags"] == {str(row): "odd"}
    assert len(shown["thumbnails"]) == 7 and str(row) in shown["thumbnails"]
    assert call("--model", "pixels", *data, "--part", "base") == 0
    said = capsys.readouterr().err
    assert re.search(r"written: .*-base-map\.png\n.*written: .*-base-map\.html", said)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "map needs a --model"),
        (("--model", "pixels", "--part", "test"), "unknown part"),
        (("--model", "pixels", "--output", "map.html"), "Name a .png or .jpg file"),
        (("--model", "pixels", "--thumbnails", "-1"), "thumbnails=-1"),
        (("--model", "pixels", "--flags", "none.csv"), "cannot read the flags in none.csv"),
        (("--model", "pixels", "--k", "0"), "k=0"),
    ],
)
def test_bad_options_exit_with_2(data, arguments, message, capsys):
    assert call(*data, *arguments) == 2
    assert message in capsys.readouterr().err


def test_flags_of_another_dataset_exit_with_2(data, tmp_path, capsys):
    flags = tmp_path / "flags.csv"
    flags.write_text("path,reason\nelsewhere.png,odd\n")
    assert call("--model", "pixels", *data, "--flags", flags) == 2
    said = capsys.readouterr().err
    assert "none of the 1 flagged images is in" in said and "novel/novel0/0.png" in said


def test_models_that_could_read_other_images_have_no_common_map(data, monkeypatch, capsys):
    module = sys.modules["lowlabel.cli.analyze.embedding_map"]
    embedded, calls = module._embedded, []

    def second_lacks_the_last_image(*arguments):
        found = embedded(*arguments)
        calls.append(found)
        if len(calls) == 1:
            return found
        return dataclasses.replace(found, paths=found.paths[:-1])

    monkeypatch.setattr(module, "_embedded", second_lacks_the_last_image)
    assert call("--model", "pixels", "--model", "random:resnet10t", *data) == 2
    assert "random:resnet10t could decode other images" in capsys.readouterr().err
