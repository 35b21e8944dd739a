"""The command of a record gives the same experiment again."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from lowlabel.benchmarks.plan import make_plan
from lowlabel.benchmarks.repeat import repeat_command
from lowlabel.benchmarks.request import Request
from lowlabel.cli import main
from lowlabel.features import BackboneOptions
from lowlabel.results import load_records


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_a_command_gives_the_identity_again(tmp_path: Path, monkeypatch):
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(60, 8)), np.arange(60) % 6
    np.savez(tmp_path / "my set.npz", features=features.astype(np.float32), labels=labels)
    first = ("--features", tmp_path / "my set.npz", "--device", "cpu", "--output", tmp_path / "a")
    options = ("--tasks", 20, "--ways", 3, "--queries", 2, "--shots", 1, "--interval", "tasks")
    assert call("run", "--suite", "fewshot-all", *first, "--method", "ncm,norm=l2", *options) == 0
    (record,) = load_records(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    program, *words = shlex.split(record.command)
    assert program == "lowlabel"
    assert call(*words, "--device", "cpu", "--output", tmp_path / "b") == 0
    (again,) = load_records(tmp_path / "b")
    assert again.identity() == record.identity()
    assert again.scores == record.scores


def test_options_are_named_and_folders_left_out(tmp_path: Path):
    weights, images = tmp_path / "a" / "dino.pth", tmp_path / "b" / "birds"
    request = Request(
        suite="knn",
        output=tmp_path,
        model=("demo_vit",),
        options={"dataset": ("demo",)},
        settings=("knn.neighbours=10",),
        backbone=BackboneOptions(resolution=112, dtype="bfloat16"),
        allow_partial=True,
    )
    job = make_plan(request).jobs[0]
    command = repeat_command(job, request, f"{weights}:vit_small_patch16_224")
    assert command == (
        "lowlabel run --suite knn --model dino.pth:vit_small_patch16_224 --dataset demo "
        "--set knn.neighbours=10 --resolution 112 --dtype bfloat16 --allow-partial"
    )
    assert str(tmp_path) not in command
    assert "folder:birds" in repeat_command(
        type(job)(f"folder:{images}", job.division, job.protocol), request, "timm:vit_tiny"
    )
