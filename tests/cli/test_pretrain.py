"""`lowlabel pretrain`, from arguments to a backbone."""

import json
import shlex

import pytest

from lowlabel.cli.pretrain import pretrain
from lowlabel.errors import InputError

ARCH = "timm:vit_tiny_patch16_224,patch_size=8,embed_dim=32,depth=1,num_heads=2"
SMALL = [
    "--arch", ARCH, "--epochs", "1", "--batch-size", "16", "--workers", "0", "--device", "cpu",
    *(f"--set={item}" for item in ("global_size=16", "local_size=8", "prototypes=16", "hidden=8")),
]  # fmt: skip


@pytest.fixture
def command(caller):
    return caller(pretrain)


def test_dry_run_prints_the_plan_and_writes_nothing(command, image_folder, tmp_path):
    output = tmp_path / "run"
    text = command("dino", "--dataset", image_folder, *SMALL, "--dry-run", "--output", output)
    assert "18 images" in text
    assert "1 epochs × 1 of 16 images" in text
    assert "prototypes=16" in text
    assert not output.exists()


@pytest.mark.parametrize(("rank", "prints"), [("0", True), ("1", False)])
def test_one_process_of_torchrun_prints(command, image_folder, monkeypatch, rank, prints):
    monkeypatch.setenv("RANK", rank)
    assert bool(command("--dataset", image_folder, *SMALL, "--dry-run")) == prints


def test_it_trains_and_prints_the_next_command(command, image_folder, tmp_path):
    text = command("--dataset", f"folder:{image_folder}", *SMALL, "--output", tmp_path / "my run")
    next_command = shlex.split(text.splitlines()[-1])
    assert next_command[-2:] == ["--model", str(tmp_path / "my run" / "backbone.safetensors")]
    card = json.loads((tmp_path / "my run" / "backbone.json").read_text())
    assert card["architecture"].startswith("vit_tiny_patch16_224,depth=1,embed_dim=32,img_size=16")
    assert card["recipe"]["options"]["prototypes"] == 16


def test_missing_options_are_named(command, image_folder):
    with pytest.raises(InputError, match="--dataset"):
        command("dino")
    with pytest.raises(InputError, match="--output"):
        command("dino", "--dataset", image_folder, *SMALL)
