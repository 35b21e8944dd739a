"""From `pretrain --save-every` to the figures of its epochs and its training."""

import json

import pytest
from PIL import Image
from typer.testing import CliRunner

from lowlabel.cli import app
from lowlabel.errors import DataError, InputError, UnknownNameError

ARCH = "timm:vit_tiny_patch16_224,patch_size=8,embed_dim=32,depth=1,num_heads=2"
SMALL = [
    "--arch", ARCH, "--epochs", "3", "--batch-size", "16", "--workers", "0", "--device", "cpu",
    *(f"--set={item}" for item in ("global_size=16", "local_size=8", "prototypes=16", "hidden=8")),
]  # fmt: skip


def call(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def run(image_folder, tmp_path):
    folder = tmp_path / "tiny"
    call("pretrain", "dino", "--dataset", image_folder, *SMALL, "--save-every", 2, "--knn-every", 1,
         "--output", folder)  # fmt: skip
    return folder


def test_kept_epochs_are_scored_and_drawn(run, image_folder, tmp_path):
    kept = sorted(file.name for file in (run / "checkpoints").iterdir())
    assert kept == [f"epoch_{e:03d}.{s}" for e in (0, 2, 3) for s in ("json", "safetensors")]
    card = json.loads((run / "checkpoints/epoch_002.json").read_text())
    assert (card["epochs"], card["name"]) == (2.0, "tiny epoch 2")
    results = tmp_path / "results"
    table = call("run", "--suite", "knn", "--model", f"{run}/checkpoints/*", "--dataset",
                 f"folder:{image_folder}", "--output", results, "--device", "cpu")  # fmt: skip
    assert all(f"tiny epoch {epoch}" in table for epoch in (0, 2, 3))
    printed = call("analyze", "epochs", results, "--metric", "top1")
    rows = [line.split() for line in printed.splitlines()[1:]]
    assert [row[-3] for row in rows] == ["0.0", "2.0", "3.0"]
    assert {file.name for file in results.glob("epochs.*")} == {
        *("epochs.png", "epochs.svg", "epochs.csv"),
    }
    with pytest.raises(UnknownNameError, match="top2"):
        call("analyze", "epochs", results, "--metric", "top2")
    with pytest.raises(InputError, match="cannot write the figure"):
        call("analyze", "epochs", results, "--output", "epochs.pdf")


@pytest.mark.slow
def test_the_curves_of_a_run_are_drawn(run):
    printed = call("analyze", "training", run)
    names = [line.split()[0] for line in printed.splitlines()]
    assert {"loss", "knn_top1", "lr", "teacher_temperature", "teacher_entropy"} <= {*names}
    assert Image.open(run / "training.png").width > 1000


def test_folders_without_runs_or_epochs_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds no metrics\.jsonl"):
        call("analyze", "training", tmp_path)
    with pytest.raises(DataError, match="scores at two epochs") as error:
        call("analyze", "epochs", tmp_path)
    assert "--save-every" in error.value.hint


def test_a_pattern_without_files_is_refused(tmp_path):
    with pytest.raises(DataError, match="no weights file matches"):
        call("run", "--suite", "knn", "--model", f"{tmp_path}/*.pth")
