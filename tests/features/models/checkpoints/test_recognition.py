"""Files in the layouts of the methods' authors are recognised without an architecture."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from small_networks import network
from torch import nn

from lowlabel.errors import DataError, InputError
from lowlabel.features import Backbone, load_backbone
from lowlabel.features.models.check import check_weights
from lowlabel.features.models.checkpoints.checkpoint import read_checkpoint
from lowlabel.features.models.checkpoints.recognition import authors_family, recognise

State = dict[str, torch.Tensor]


def renamed(state: State, *names: tuple[str, str]) -> State:
    for old, new in names:
        state = {key.replace(old, new): tensor for key, tensor in state.items()}
    return state


def dinov2(module: nn.Module) -> State:
    return module.state_dict() | {"mask_token": torch.zeros(1, 384)}


def dinov2_with_registers(module: nn.Module) -> State:
    """The authors add a position to the class token."""
    state = dinov2(module)
    position = torch.ones_like(state["cls_token"])
    state["register_tokens"] = state.pop("reg_token")
    state["cls_token"] = state["cls_token"] - position
    state["pos_embed"] = torch.cat([position, state["pos_embed"]], 1)
    return state


def dinov2_giant(module: nn.Module) -> State:
    return renamed(dinov2(module), ("mlp.fc1", "mlp.w12"), ("mlp.fc2", "mlp.w3"))


def dinov3(module: nn.Module) -> State:
    """The authors keep one bias of queries, keys and values, and mask that of the keys."""
    state = renamed(
        module.state_dict(),
        ("gamma_", "ls"),
        ("reg_token", "storage_tokens"),
        ("fc1_g", "w1"),
        ("fc1_x", "w2"),
        ("mlp.fc2", "mlp.w3" if "blocks.0.mlp.fc1_g.weight" in module.state_dict() else "mlp.fc2"),
    )
    state = {f"{k}.gamma" if k[-4:-1] == ".ls" else k: tensor for k, tensor in state.items()}
    for block in range(2):
        name = f"blocks.{block}.attn"
        query, value = state.pop(f"{name}.q_bias"), state.pop(f"{name}.v_bias")
        state[f"{name}.qkv.bias"] = torch.cat([query, torch.full_like(query, 9.0), value])
        state[f"{name}.qkv.bias_mask"] = torch.ones(len(query) * 3)
    return state | {"mask_token": torch.zeros(1, 384), "rope_embed.periods": torch.ones(16)}


def in_chunks(module: nn.Module) -> State:
    state = renamed(dinov2(module), ("blocks.0.", "blocks.0.0."), ("blocks.1.", "blocks.1.1."))
    return {f"teacher.backbone.{key}": tensor for key, tensor in state.items()} | {
        "teacher.dino_head.last_layer.weight_g": torch.zeros(3, 1)
    }


LAYOUTS = [
    ("vit_small_patch14_dinov2", {"img_size": 28}, dinov2, "dinov2"),
    ("vit_small_patch14_dinov2", {"img_size": 28}, in_chunks, "dinov2"),
    ("vit_small_patch14_dinov2", {"img_size": 28}, nn.Module.state_dict, "dinov2"),
    ("vit_small_patch14_reg4_dinov2", {"img_size": 28}, dinov2_with_registers, "dinov2_reg"),
    ("vit_small_patch14_reg4_dinov2", {"img_size": 28}, nn.Module.state_dict, "dinov2_reg"),
    ("vit_giant_patch14_dinov2", {"img_size": 28}, dinov2_giant, "dinov2"),
    ("vit_small_patch16_dinov3_qkvb", {}, dinov3, "dinov3"),
    ("vit_small_plus_patch16_dinov3_qkvb", {}, dinov3, "dinov3"),
    ("vit_small_patch16_dinov3", {}, nn.Module.state_dict, "dinov3"),
    ("deit_small_distilled_patch16_224", {"img_size": 32}, nn.Module.state_dict, "deit_distilled"),
    ("deit3_small_patch16_224", {"img_size": 32}, nn.Module.state_dict, "deit3"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options", "layout", "method"), LAYOUTS)
def test_files_in_an_authors_layout_load_exactly(
    tmp_path: Path, name: str, options: dict[str, int], layout: Callable[[nn.Module], State], method
):
    if "giant" in name:
        options = options | {"embed_dim": 384, "num_heads": 6}
    module = network(name, **options)
    path = tmp_path / "weights.pth"
    torch.save(layout(module), path)
    check_weights(str(path))
    found = recognise(read_checkpoint(path))
    assert (found.family, found.architecture) == (method, name)
    assert bool(found.heads_assumed) == ("giant" in name)  # narrower than those of DINOv2
    encoder = load_backbone(str(path), pooling="cls").encoder
    images = torch.randn(2, 3, 32, 32) if method in ("deit3", "deit_distilled", "dinov3") else None
    images = torch.randn(2, 3, 28, 28) if images is None else images
    with torch.inference_mode():
        torch.testing.assert_close(
            encoder.tokens(images).cls, module.forward_features(images)[:, 0]
        )


def test_deit3_by_its_authors_names(tmp_path: Path):
    module = network("deit3_small_patch16_224", img_size=32)
    state = renamed(module.state_dict(), ("ls1.gamma", "gamma_1"), ("ls2.gamma", "gamma_2"))
    path = tmp_path / "deit_3_small_224_1k.pth"
    torch.save({"model": state}, path)
    loaded = load_backbone(str(path))
    assert loaded.spec == "file:deit3_small_patch16_224,depth=2,img_size=32"
    assert torch.equal(loaded.encoder.module.blocks[1].ls2.gamma, module.blocks[1].ls2.gamma)


def test_a_bias_that_the_named_architecture_lacks_is_an_error(tmp_path: Path):
    path = tmp_path / "dinov3.pth"
    state = dinov3(network("vit_small_patch16_dinov3_qkvb"))
    torch.save(state, path)
    with pytest.raises(DataError, match=r"no head: 2\n  blocks\.0\.attn\.qkv\.bias"):
        load_backbone(f"{path}:vit_small_patch16_dinov3,depth=2")
    without = {k: v * 0 if k.endswith("qkv.bias") else v for k, v in state.items()}
    torch.save(without, path)
    load_backbone(f"{path}:vit_small_patch16_dinov3,depth=2")


def load_small(tmp_path: Path, content: object, spec: str = "", name: str = "x.pth") -> Backbone:
    torch.save(content, tmp_path / name)
    return load_backbone(f"{tmp_path / name}{spec}")


def heads(backbone: Backbone) -> int:
    return int(backbone.encoder.module.blocks[0].attn.num_heads)


@pytest.mark.slow
def test_heads_come_from_the_method_and_are_assumed_otherwise(tmp_path: Path):
    state = network("vit_small_patch16_224", img_size=32).state_dict()
    bare = load_small(tmp_path, state)
    assert heads(bare) == 6
    assert any("heads assumed: 6" in note for note in bare.notes)
    given = load_small(tmp_path, state, ":num_heads=12")
    assert heads(given) == 12
    assert "heads" not in "".join(given.notes)

    def within(prefix: str, state: State = state) -> State:
        return {prefix + key: tensor for key, tensor in state.items()}

    moco = {"state_dict": within("module.base_encoder.") | within("module.momentum_encoder.")}
    predictor = {"module.predictor.0.weight": torch.zeros(2, 2)}
    dino = {
        "student": within("module.backbone."),
        "teacher": within("backbone.") | {"head.last_layer.weight_g": torch.zeros(3, 1)},
        "args": argparse.Namespace(arch="vit_small"),
    }
    mae = {"model": state | {"mask_token": torch.zeros(1), "decoder_embed.weight": torch.zeros(1)}}
    named = {"state_dict": within("module."), "args": {"arch": "timm:vit_small_patch16_224"}}
    for content, method, count in (
        ({"state_dict": moco["state_dict"] | predictor, "arch": "vit_small"}, "mocov3", 12),
        (dino, "dino", 6),
        (mae, "mae", 6),
    ):
        loaded = load_small(tmp_path, content)
        assert authors_family(read_checkpoint(tmp_path / "x.pth")) == method
        assert heads(loaded) == count
        assert "assumed" not in "".join(loaded.notes)
    assert heads(load_small(tmp_path, state, name="dino_deitsmall16_pretrain.pth")) == 6
    arch = ":vit_small_patch16_224,depth=2,img_size=32"
    other = "6 heads as named, where the file's method has 12: num_heads=12"
    for options, count, notes in (
        ("", 6, {other}),
        (",num_heads=6", 6, set()),
        (",num_heads=12", 12, set()),
    ):
        loaded = load_small(tmp_path, moco, arch + options)
        assert heads(loaded) == count
        assert {note for note in loaded.notes if "heads" in note} == notes
    own = named["args"] | {"arch": "timm:vit_small_patch16_224,img_size=32,depth=2,num_heads=3"}
    assert heads(load_small(tmp_path, named | {"args": own})) == 3


def test_heads_of_a_size_that_dinov2_does_not_have_are_assumed(tmp_path: Path):
    sizes = {"embed_dim": 128, "img_size": 28}
    state = network("vit_small_patch14_dinov2", num_heads=4, **sizes).state_dict()
    assert any("heads assumed: 2" in note for note in load_small(tmp_path, state).notes)
    loaded = load_small(tmp_path, state, ":num_heads=4")
    assert heads(loaded) == 4 and "assumed" not in "".join(loaded.notes)


def test_options_of_a_training_belong_to_the_network(tmp_path: Path):
    """timm's training script keeps them beside the architecture, and no tensor tells them."""
    state = network("vit_tiny_patch16_224", img_size=32).state_dict()
    sizes = {"depth": 2, "img_size": [32, 32], "num_heads": 6, "drop_path_rate": 0.1}
    arguments = argparse.Namespace(
        model="vit_tiny_patch16_224", model_kwargs=sizes, gp="avg", bn_eps=None
    )
    pooled = {f"fc_{key}" if key.startswith("norm.") else key: state[key] for key in state}
    content = {"arch": "vit_tiny_patch16_224", "state_dict": pooled, "args": arguments}
    loaded = load_small(tmp_path, content)
    assert heads(loaded) == 6
    assert loaded.pooling == "head"
    assert loaded.encoder.module.global_pool == "avg"
    arguments.model_kwargs = {"block_fn": {"a": 1}}
    with pytest.raises(InputError, match=r"block_fn=.* of its training is no option"):
        load_small(tmp_path, content)


def test_a_size_given_as_an_option_is_the_side_of_the_images(tmp_path: Path):
    """DINOv2's own 224 pixels stand back."""
    state = dinov2(network("vit_small_patch14_dinov2"))
    assert load_small(tmp_path, state).transform.side == 224
    assert load_small(tmp_path, state, ":img_size=98").transform.side == 98


@pytest.mark.slow
def test_an_architecture_must_be_named_where_the_file_does_not_tell(tmp_path: Path):
    plain = network("vit_small_patch16_224", img_size=32).state_dict()
    fixed = plain["pos_embed"].clone()
    fixed[:, 0] = 0
    for content, reason in (
        (plain | {"pos_embed": fixed}, "MoCo v3, whose ViT-S has 12 heads"),
        (network("vit_small_patch16_224", init_values=0.1), r"ls1\.gamma"),
        (network("vit_small_patch16_224", qk_norm=True), r"attn\.q_norm"),
        (network("vit_small_patch16_224", pre_norm=True), r"norm_pre"),
        (network("vit_base_patch16_siglip_224"), r"attn_pool"),
        (network("cait_xxs24_224"), r"gamma_1"),
        (network("beit_base_patch16_224"), r"relative_position_bias_table"),
        (network("vit_small_patch16_224", embed_dim=128, num_heads=2), "tokens of width 128"),
        (network("vit_small_patch16_224", class_token=False, global_pool="avg"), "has cls_token"),
        (network("vit_small_patch16_224", qkv_bias=False), r"has blocks\.0\.attn\.qkv\.bias"),
        (network("vit_small_patch16_224", img_size=(32, 16)), r"pos_embed \(1, 3, 384\) holds no"),
        ({"vit.embeddings.patch_embeddings.projection.weight": fixed}, "not from a ViT"),
        (plain | {"blocks.0.attn.qkv.lora_A.weight": fixed}, "lora_A"),
    ):
        state = content.state_dict() if isinstance(content, nn.Module) else content
        with pytest.raises(InputError, match=rf"cannot infer.*{reason}"):
            load_small(tmp_path, state)


def test_the_option_that_chooses_a_network_is_named(tmp_path: Path):
    state = network("vit_small_patch16_224", img_size=32).state_dict()
    content = {"params": state, "params_ema": state}
    with pytest.raises(InputError, match=r"a ViT below params, params_ema: .*=params_ema takes"):
        load_small(tmp_path, content)
    assert heads(load_small(tmp_path, content, ":checkpoint_key=params_ema")) == 6


@pytest.mark.slow
def test_the_alias_of_the_same_layout_is_known(tmp_path: Path):
    for name, alias in (
        ("vit_small_patch14_dinov2", "dinov2_vits14"),
        ("vit_small_patch14_reg4_dinov2", "dinov2_vits14_reg"),
        ("vit_small_plus_patch16_dinov3", "dinov3_vits16plus"),
    ):
        state = timm.create_model(name, num_classes=0).state_dict()
        torch.save(state, tmp_path / "x.pth")
        found = recognise(read_checkpoint(tmp_path / "x.pth", shapes_only=True))
        assert (found.alias, found.options) == (alias, {})
        assert found.resolution == (224 if "dinov2" in name else None)


@pytest.mark.slow
def test_the_real_vit_needs_no_architecture(real_data: Path):
    path = real_data / "vits14_dinov2_saliency.safetensors"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    named = load_backbone(f"{path}:vit_small_patch14_dinov2.lvd142m", resolution=224)
    for spec in (str(path), f"{path}:num_heads=6"):
        found = load_backbone(spec)
        assert found.weights_sha256 == named.weights_sha256
        assert found.transform == named.transform
        assert heads(found) == heads(named)
    with pytest.raises(DataError, match=r"no head: 24\n  blocks\.0\.ls1\.gamma"):
        load_backbone(f"{path}:vit_small_patch16_224")


def test_satellite_weights_take_the_preprocessing_of_their_tag(tmp_path: Path):
    with torch.device("meta"):
        state = timm.create_model("vit_large_patch16_dinov3", num_classes=0).state_dict()
    small = {name: tensor[..., :1] for name, tensor in state.items() if "blocks" in name}
    small = {name: torch.zeros(tensor.shape) for name, tensor in small.items()}
    rest = {name: torch.zeros(t.shape) for name, t in state.items() if "blocks" not in name}
    for stem, tag in (("dinov3_vitl16_pretrain_sat493m", "sat493m"), ("dinov3", "lvd1689m")):
        torch.save(rest | small, tmp_path / f"{stem}.pth")
        found = recognise(read_checkpoint(tmp_path / f"{stem}.pth"))
        assert found.architecture == f"vit_large_patch16_dinov3.{tag}"
