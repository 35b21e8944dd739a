"""Checkpoints load from every format, and mismatches and damage are reported."""

import argparse
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from lowlabel.errors import DataError, InputError
from lowlabel.features import load_backbone

TINY = "vit_tiny_patch16_224,img_size=32,patch_size=8,depth=2"


PIXELS = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)


def reference(module: nn.Module) -> torch.Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        return module(((PIXELS / 255 - mean) / std).permute(0, 3, 1, 2))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("arch", [f":{TINY}", ""])
def test_a_plain_state_dict_is_loaded(tmp_path: Path, suffix, arch, tiny_vit):
    module = tiny_vit()
    path = tmp_path / f"mine{suffix}"
    save_file(module.state_dict(), path) if suffix != ".pth" else torch.save(
        module.state_dict(), path
    )
    backbone = load_backbone(f"{path}{arch}")
    torch.testing.assert_close(backbone.embed(PIXELS), reference(module))
    assert backbone.name == "mine"
    assert str(tmp_path) not in backbone.spec


def test_dino_checkpoint_takes_the_teacher_and_strips_prefixes(tmp_path: Path, tiny_vit):
    student, teacher = tiny_vit(), tiny_vit(depth=2)
    for parameter in teacher.parameters():
        parameter.data.mul_(1.1)
    head = {"head.mlp.0.weight": torch.zeros(8, 192), "head.last_layer.weight_g": torch.ones(9, 1)}
    path = tmp_path / "checkpoint.pth"
    torch.save(
        {
            "student": {f"module.backbone.{k}": v for k, v in student.state_dict().items()}
            | {f"module.{k}": v for k, v in head.items()},
            "teacher": {f"backbone.{k}": v for k, v in teacher.state_dict().items()} | head,
            "epoch": 3,
            "args": argparse.Namespace(arch="vit_tiny", patch_size=8),
        },
        path,
    )
    torch.testing.assert_close(load_backbone(f"{path}:{TINY}").embed(PIXELS), reference(teacher))
    chosen = load_backbone(f"{path}:{TINY},checkpoint_key=student")
    torch.testing.assert_close(chosen.embed(PIXELS), reference(student))
    with pytest.raises(InputError, match=r"no state dict 'ema'.*student, teacher"):
        load_backbone(f"{path}:{TINY},checkpoint_key=ema")


def test_under_ninety_percent_matched_is_an_error_that_lists_what_is_missing(
    tmp_path: Path, tiny_vit
):
    state = tiny_vit().state_dict()
    path = tmp_path / "half.pth"
    torch.save({k: v for k, v in state.items() if not k.startswith("blocks.1")}, path)
    with pytest.raises(DataError, match=r"(?s)has 18 of the model's 30 tensors.*blocks\.1\.attn"):
        load_backbone(f"{path}:{TINY}")
    torch.save({k: v for k, v in state.items() if k != "norm.bias"}, path)
    with pytest.warns(UserWarning, match=r"(?s)29 of the model's 30.*norm\.bias"):
        load_backbone(f"{path}:{TINY}")


def test_weights_never_run_code(tmp_path: Path, tiny_vit):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    path = tmp_path / "bomb.pth"
    torch.save({"state_dict": tiny_vit().state_dict(), "extra": Bomb()}, path)
    with pytest.raises(DataError, match="more than tensors and plain data"):
        load_backbone(f"{path}:{TINY}")
    assert not (tmp_path / "ran").exists()


def test_damaged_and_missing_files_are_named(tmp_path: Path, tiny_vit):
    with pytest.raises(DataError, match="no weights file"):
        load_backbone(f"{tmp_path / 'no.pth'}:{TINY}")
    path = tmp_path / "cut.safetensors"
    save_file(tiny_vit().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="not a readable weights file"):
        load_backbone(f"{path}:{TINY}")
    for content in (
        b"",
        b"PK\x03\x04 cut",
        b"<html>",
        b"junk",
        b"not weights",
        b"(lp0",
        b"\x80\x02c",
    ):
        (tmp_path / "cut.pth").write_bytes(content)
        with pytest.raises(DataError, match=r"cut\.pth"):
            load_backbone(f"{tmp_path / 'cut.pth'}:{TINY}")


def test_entries_without_names_are_no_tensors(tmp_path: Path):
    torch.save({0: torch.zeros(2), 1: {"a": 1}}, tmp_path / "list.pth")
    with pytest.raises(DataError, match="holds no tensors; its entries are: 0, 1"):
        load_backbone(f"{tmp_path / 'list.pth'}:{TINY}")


def test_architecture_must_be_named_for_other_networks(tmp_path: Path):
    path = tmp_path / "net.pth"
    torch.save(timm.create_model("mobilenetv2_035", num_classes=0).state_dict(), path)
    with pytest.raises(
        InputError, match=r"cannot infer the architecture of .*net\.pth: its \d+ tensors"
    ):
        load_backbone(str(path))
    assert load_backbone(f"{path}:mobilenetv2_035", resolution=32).pooling == "head"
