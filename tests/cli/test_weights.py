"""Weights files on the command line: what was assumed is said and recorded."""

import json
from pathlib import Path

import pytest
import timm
import torch

from lowlabel.cli import main
from lowlabel.results import load_record

TINY = "vit_tiny_patch16_224,img_size=32,patch_size=8,depth=1"


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def run(model: str, image_folder: Path, output: Path, *more: str) -> int:
    tasks = ("--ways", "2", "--shots", "1", "--queries", "2", "--tasks", "20", "--method", "ncm")
    data = ("--suite", "fewshot", "--dataset", f"folder:{image_folder}")
    return call("run", *data, *tasks, "--model", model, "--output", output, *more)


def test_assumed_heads_are_said_and_recorded(image_folder, tmp_path, capsys):
    path = tmp_path / "mine.pth"
    module = timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, depth=1)
    torch.save(module.state_dict(), path)
    records = {}
    for name, model in (("assumed", f"{path}"), ("named", f"{path}:{TINY}")):
        assert run(model, image_folder, tmp_path / name) == 0
        assert ("heads assumed: 3 of 64 channels" in capsys.readouterr().err) == (name != "named")
        (records[name],) = (tmp_path / name / "records").glob("*.json")
    notes = json.loads(records["assumed"].read_text())["experiment"]["model"]["notes"]
    assert "heads assumed: 3 of 64 channels" in notes
    assumed, named = (load_record(records[name]) for name in ("assumed", "named"))
    assert assumed.identity() == named.identity()
    assert not any("heads assumed" in note for note in named.experiment.model.notes)


def test_a_file_that_does_not_tell_its_network_is_refused_before_any_work(
    image_folder, tmp_path, capsys
):
    path = tmp_path / "mine.pth"
    module = timm.create_model("vit_tiny_patch16_224", depth=1, init_values=0.1)
    torch.save(module.state_dict(), path)
    assert run(str(path), image_folder, tmp_path / "o", "--dry-run") == 2
    said = capsys.readouterr().err
    assert "cannot infer the architecture" in said
    assert "blocks.0.ls1.gamma" in said
    assert f"--model {path}:ARCH" in said
