"""Files of MAE, iBOT, MoCo v3, SwAV, MSN and I-JEPA in the names that their authors give tensors.

The numbers are random and the networks are short; names, prefixes and what lies beside the network
are those of the published files.
"""

import pytest
import timm
import torch
from torch import nn

from lowlabel.features import load_backbone

PIXELS = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
SMALL = {"img_size": 32, "num_classes": 0, "depth": 2}


def network(name: str, **options: object) -> nn.Module:
    torch.manual_seed(4)
    module = timm.create_model(name, **options).eval()
    for parameter in module.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.02)
    return module


def below(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in state.items()}


def zeros(*names: str) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(3, 3) for name in names}


def check(tmp_path, name, content, module, *, spec="", pooling=None, pixels=PIXELS):
    """Saves a file, loads it, and compares its features with the network's own."""
    torch.save(content, tmp_path / name)
    backbone = load_backbone(f"{tmp_path / name}{spec}", pooling=pooling)
    given = backbone.transform.normalise(pixels, torch.float32)
    with torch.inference_mode():
        expected = module(given)
    torch.testing.assert_close(backbone.embed(pixels), expected, atol=1e-4, rtol=1e-4)
    (tmp_path / name).unlink()
    return backbone


def test_mae_pretrained_and_with_its_decoder(tmp_path):
    module = network("vit_base_patch16_224", **SMALL)
    with torch.no_grad():
        module.pos_embed[:, 0] = 0
    state = module.state_dict()
    found = check(tmp_path, "mae_pretrain_vit_base.pth", {"model": state}, module)
    assert found.pretrained_on == "imagenet-1k"
    assert not any("assumed" in note for note in found.notes)
    decoder = zeros(
        *("mask_token", "decoder_pos_embed", "decoder_embed.weight", "decoder_embed.bias"),
        *("decoder_blocks.0.norm1.weight", "decoder_norm.weight", "decoder_pred.weight"),
    )
    check(tmp_path, "mae_visualize_vit_base.pth", {"model": state | decoder}, module)


def test_the_huge_network_of_mae_has_16_heads(tmp_path):
    module = network("vit_huge_patch14_224", img_size=28, num_classes=0, depth=1)
    pixels = PIXELS[:, :28, :28]
    found = check(
        tmp_path, "mae_pretrain_vit_huge.pth", {"model": module.state_dict()}, module, pixels=pixels
    )
    assert found.encoder.module.blocks[0].attn.num_heads == 16
    assert not any("assumed" in note for note in found.notes)


def test_ibot_of_a_teacher_and_of_a_whole_checkpoint(tmp_path):
    module = network("vit_small_patch16_224", **SMALL)
    state = module.state_dict() | {"masked_embed": torch.zeros(1, 384)}
    check(tmp_path, "checkpoint_teacher.pth", {"state_dict": state}, module)
    heads = zeros("head.mlp.0.weight", "head.last_layer.weight_g", "head.last_layer2.weight_v")
    content = {
        "student": below("module.", below("backbone.", state) | heads),
        "teacher": below("backbone.", module.state_dict()) | heads,
        "optimizer": {"state": {}, "param_groups": []},
        "epoch": 800,
        "ibot_loss": {"center": torch.zeros(1, 3), "center2": torch.zeros(1, 1, 3)},
    }
    check(tmp_path, "checkpoint.pth", content, module)


def test_moco_v3_with_its_projector_and_predictor(tmp_path):
    module = network("vit_small_patch16_224", **SMALL, num_heads=12)
    state = module.state_dict() | zeros("head.0.weight", "head.1.weight", "head.1.running_mean")
    content = {
        "epoch": 300,
        "arch": "vit_small",
        "state_dict": below("module.base_encoder.", state)
        | below("module.momentum_encoder.", state)
        | zeros("module.predictor.0.weight", "module.predictor.1.bias"),
        "optimizer": {"state": {}, "param_groups": []},
    }
    found = check(tmp_path, "vit-s-300ep.pth.tar", content, module)
    assert found.encoder.module.blocks[0].attn.num_heads == 12
    assert found.pretrained_on == "imagenet-1k"


def test_swav_with_its_prototypes(tmp_path):
    module = network("resnet26", num_classes=0)
    heads = zeros(
        *("projection_head.0.weight", "projection_head.1.running_mean"),
        *("projection_head.3.bias", "prototypes.weight"),
    )
    content = below("module.", module.state_dict() | heads)
    name = "swav_800ep_pretrain.pth.tar"
    found = check(tmp_path, name, content, module, spec=":resnet26")
    assert found.pretrained_on == "imagenet-1k"


def test_msn_takes_the_target_encoder(tmp_path):
    module = network("vit_small_patch16_224", **SMALL)
    state, head = module.state_dict(), zeros("fc.fc1.weight", "fc.bn1.running_mean", "fc.fc3.bias")
    other = {name: tensor + 1 for name, tensor in state.items()}
    content = {
        "target_encoder": below("module.", state | head),
        "encoder": below("module.", other | head),
        "prototypes": torch.zeros(4, 3),
        "opt": {"state": {}, "param_groups": []},
        "epoch": 800,
    }
    found = check(tmp_path, "vits16_800ep.pth.tar", content, module)
    assert found.pretrained_on == "imagenet-1k"
    assert any("target_encoder" in note for note in found.notes)


@pytest.mark.slow
def test_ijepa_has_no_class_token(tmp_path):
    module = network("vit_huge_patch14_gap_224", img_size=28, num_classes=0, depth=1)
    state = module.state_dict()
    content = {
        "encoder": below("module.", {name: tensor + 1 for name, tensor in state.items()}),
        "predictor": below(
            "module.",
            zeros("mask_token", "predictor_embed.weight", "predictor_blocks.0.norm1.bias"),
        ),
        "target_encoder": below("module.", state),
        "opt": {"state": {}, "param_groups": []},
        "scaler": {"scale": 1.0},
        "epoch": 300,
    }
    pixels = PIXELS[:, :28, :28]
    found = check(tmp_path, "IN1K-vit.h.14-300e.pth.tar", content, module, pixels=pixels)
    assert found.pretrained_on == "imagenet-1k"
    assert "vit_huge_patch14_gap_224" in found.spec
