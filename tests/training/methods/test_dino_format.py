import argparse

import pytest
import torch

from lowlabel.errors import DataError
from lowlabel.features import load_backbone
from lowlabel.training import make_recipe
from lowlabel.training.backbones import backbone_maker, resolve_architecture
from lowlabel.training.methods.dino import DINO
from lowlabel.training.methods.dino_format import read_dino_checkpoint, write_dino_checkpoint

ARCH = resolve_architecture("timm:vit_tiny_patch16_224,patch_size=8,depth=1", 16)


def make(prototypes=32):
    options = ["hidden=16", "bottleneck=8", f"prototypes={prototypes}"]
    recipe = make_recipe("dino", None, options)
    return DINO.build(recipe.options, backbone_maker(ARCH, 0.0))


def test_reading_restores_what_was_written(tmp_path):
    torch.manual_seed(0)
    method, other = make(), make()
    method.centre.value.normal_()
    path = tmp_path / "checkpoint.pth"
    write_dino_checkpoint(path, method, {}, 7, {"arch": "vit_tiny"})
    assert read_dino_checkpoint(path, other) == 7
    for name, tensor in method.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_keys_equal_those_of_the_reference_code(tmp_path):
    path = tmp_path / "checkpoint.pth"
    write_dino_checkpoint(path, make(), {}, 1, {})
    content = torch.load(path, weights_only=True)
    assert content.keys() == {"student", "teacher", "optimizer", "epoch", "args", "dino_loss"}
    assert content["dino_loss"]["center"].shape == (1, 32)
    teacher = content["teacher"].keys()
    assert {"head.mlp.0.weight", "head.mlp.2.bias", "head.mlp.4.weight"} <= teacher
    assert {"head.last_layer.weight_g", "head.last_layer.weight_v"} <= teacher
    assert {"backbone.cls_token", "backbone.blocks.0.attn.qkv.bias"} <= teacher
    assert content["student"].keys() == {f"module.{name}" for name in teacher}


def test_a_namespace_in_the_file_is_read(tmp_path):
    path = tmp_path / "checkpoint.pth"
    write_dino_checkpoint(path, make(), {}, 1, {})
    content = torch.load(path, weights_only=True)
    torch.save({**content, "args": argparse.Namespace(arch="vit_tiny")}, path)
    assert read_dino_checkpoint(path, make()) == 1


def test_a_written_checkpoint_loads_as_a_model(tmp_path):
    path, method = tmp_path / "checkpoint.pth", make()
    write_dino_checkpoint(path, method, {}, 1, {})
    backbone = load_backbone(str(path), device="cpu")
    images = torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    normalised = backbone.transform.normalise(images, torch.float32)
    expected = method.teacher.backbone.eval()(normalised)
    torch.testing.assert_close(backbone.embed(images), expected, rtol=1e-4, atol=1e-5)


def test_checkpoints_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "checkpoint.pth"
    write_dino_checkpoint(path, make(), {}, 1, {})
    with pytest.raises(DataError, match=r"has another architecture or head; .*original1"):
        read_dino_checkpoint(path, make(prototypes=33))
    torch.save({"state_dict": {}}, path)
    with pytest.raises(DataError, match="not a checkpoint in DINO's format"):
        read_dino_checkpoint(path, make())
