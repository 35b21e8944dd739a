"""`lowlabel finetune`, from arguments to a tuned model."""

import json

import pytest

from lowlabel.cli.finetune import finetune
from lowlabel.errors import InputError

MODEL = "random:vit_tiny_patch16_224,img_size=16,patch_size=8,embed_dim=32,depth=1,num_heads=2"
SMALL = [
    "--model", MODEL, "--epochs", "1", "--batch-size", "4", "--workers", "0", "--device", "cpu",
    "--validation", "0", "--dimension", "8",
]  # fmt: skip


@pytest.fixture
def command(caller):
    return caller(finetune)


def test_dry_run_prints_the_plan_and_writes_nothing(command, image_folder, tmp_path):
    output = tmp_path / "run"
    data = f"folder:{image_folder}"
    text = command("--dataset", data, *SMALL, "--loss", "proxy-nca", "--dry-run")
    assert "18 images of 3 classes" in text
    assert "1 epochs × 4 of 4 images" in text
    assert "proxy-nca,scale=3.0; miner none; 24 parameters" in text
    assert not output.exists()


def test_it_tunes_and_prints_the_next_command(command, image_folder, tmp_path):
    data = f"folder:{image_folder}"
    arguments = "--dataset", data, *SMALL, "--loss", "multi-similarity", "--output", tmp_path
    text = command(*arguments, "--allow-partial")
    assert f"--dataset {data} --allow-partial --model {tmp_path / 'backbone.safetensors'}" in text
    card = json.loads((tmp_path / "backbone.json").read_text())
    assert card["loss"].startswith("multi-similarity,alpha=2")
    assert card["embedding_head"]["dimension"] == 8


def test_missing_options_are_named(command, image_folder):
    with pytest.raises(InputError, match="--dataset"):
        command(*SMALL)
    with pytest.raises(InputError, match="--model"):
        command("--dataset", f"folder:{image_folder}")
    with pytest.raises(InputError, match="--output"):
        command("--dataset", f"folder:{image_folder}", *SMALL)
