import argparse
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.features import ALIASES, load_backbone
from lowlabel.features.models.architectures import timm_transform
from lowlabel.paths import weights_dir

TINY = "vit_tiny_patch16_224,img_size=32,patch_size=8,depth=2"
PIXELS = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)


def tiny_vit(**options: object) -> nn.Module:
    torch.manual_seed(1)
    arguments = {"img_size": 32, "patch_size": 8, "depth": 2, "num_classes": 0} | options
    return timm.create_model("vit_tiny_patch16_224", **arguments).eval()


def reference(module: nn.Module) -> torch.Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        return module(((PIXELS / 255 - mean) / std).permute(0, 3, 1, 2))


def test_random_is_seeded_and_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    first = load_backbone(f"random:{TINY}")
    assert torch.equal(torch.rand(1), expected)
    assert first.weights_sha256 == load_backbone(f"random:{TINY},seed=0").weights_sha256
    assert first.weights_sha256 != load_backbone(f"random:{TINY},seed=1").weights_sha256
    assert first.embed(PIXELS).shape == (3, 192)
    assert first.pooling == "cls"


def test_pixels_are_the_normalised_image():
    backbone = load_backbone("pixels", resolution=32)
    expected = backbone.transform.normalise(PIXELS, torch.float32).flatten(1)
    assert torch.equal(backbone.embed(PIXELS), expected)
    with pytest.raises(InputError, match="no tokens"):
        load_backbone("pixels", pooling="mean")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("arch", [f":{TINY}", ""])
def test_file_with_plain_state_dict(tmp_path: Path, suffix, arch):
    module = tiny_vit()
    path = tmp_path / f"mine{suffix}"
    save_file(module.state_dict(), path) if suffix != ".pth" else torch.save(
        module.state_dict(), path
    )
    backbone = load_backbone(f"{path}{arch}")
    torch.testing.assert_close(backbone.embed(PIXELS), reference(module))
    assert backbone.name == "mine"
    assert str(tmp_path) not in backbone.spec


def test_dino_checkpoint_takes_the_teacher_and_strips_prefixes(tmp_path: Path):
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


def test_under_ninety_percent_matched_is_an_error_that_lists_what_is_missing(tmp_path: Path):
    state = tiny_vit().state_dict()
    path = tmp_path / "half.pth"
    torch.save({k: v for k, v in state.items() if not k.startswith("blocks.1")}, path)
    with pytest.raises(DataError, match=r"(?s)has 18 of the model's 30 tensors.*blocks\.1\.attn"):
        load_backbone(f"{path}:{TINY}")
    torch.save({k: v for k, v in state.items() if k != "norm.bias"}, path)
    with pytest.warns(UserWarning, match=r"(?s)29 of the model's 30.*norm\.bias"):
        load_backbone(f"{path}:{TINY}")


def test_weights_never_run_code(tmp_path: Path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    path = tmp_path / "bomb.pth"
    torch.save({"state_dict": tiny_vit().state_dict(), "extra": Bomb()}, path)
    with pytest.raises(DataError, match="more than tensors and plain data"):
        load_backbone(f"{path}:{TINY}")
    assert not (tmp_path / "ran").exists()


def test_damaged_and_missing_files(tmp_path: Path):
    with pytest.raises(DataError, match="no weights file"):
        load_backbone(f"{tmp_path / 'no.pth'}:{TINY}")
    path = tmp_path / "cut.safetensors"
    save_file(tiny_vit().state_dict(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="no readable weights file"):
        load_backbone(f"{path}:{TINY}")
    for content in (b"", b"PK\x03\x04 cut", b"<html>"):
        (tmp_path / "cut.pth").write_bytes(content)
        with pytest.raises(DataError, match=r"cut\.pth"):
            load_backbone(f"{tmp_path / 'cut.pth'}:{TINY}")


def test_architecture_must_be_named_for_other_networks(tmp_path: Path):
    path = tmp_path / "net.pth"
    torch.save(timm.create_model("mobilenetv2_035", num_classes=0).state_dict(), path)
    with pytest.raises(InputError, match="does not tell its architecture"):
        load_backbone(str(path))
    assert load_backbone(f"{path}:mobilenetv2_035", resolution=32).pooling == "head"


def test_position_embeddings_follow_the_resolution(tmp_path: Path):
    path = tmp_path / "mine.pth"
    torch.save(tiny_vit().state_dict(), path)
    backbone = load_backbone(f"{path}:{TINY}", resolution=48)
    assert backbone.transform.crop == 48
    pixels = torch.zeros(1, 48, 48, 3, dtype=torch.uint8)
    assert backbone.embed(pixels).shape == (1, 192)


@pytest.mark.parametrize("pooling", ["mean", "cls+mean", "gem"])
def test_pooling_of_vits(pooling):
    backbone = load_backbone(f"random:{TINY}", pooling=pooling)
    assert backbone.embed(PIXELS).shape == (3, 384 if "+" in pooling else 192)


def test_pooling_of_convolutional_maps_equals_the_models_own_average():
    mean = load_backbone("random:resnet10t", pooling="mean", resolution=32)
    own = load_backbone("random:resnet10t", resolution=32)
    torch.testing.assert_close(mean.embed(PIXELS), own.embed(PIXELS))
    with pytest.raises(InputError, match="no class token"):
        load_backbone("random:resnet10t", pooling="cls", resolution=32)


def test_dtype_is_computed_in_and_float32_comes_out():
    half = load_backbone(f"random:{TINY}", dtype="bfloat16").embed(PIXELS)
    full = load_backbone(f"random:{TINY}").embed(PIXELS)
    assert half.dtype == torch.float32
    assert 0 < (half - full).abs().max() < 0.2


def test_hub_model_of_a_local_repository(tmp_path: Path):
    (tmp_path / "hubconf.py").write_text(
        "import torch\n\ndef tiny():\n"
        "    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())\n"
    )
    backbone = load_backbone(f"hub:{tmp_path}:tiny")
    assert (backbone.name, backbone.embed(PIXELS).shape) == ("tiny", (3, 12))
    with pytest.raises(InputError, match="no tokens"):
        load_backbone(f"hub:{tmp_path}:tiny", pooling="mean")
    with pytest.raises(DataError, match="could not be loaded"):
        load_backbone(f"hub:{tmp_path}:nothing")


def test_unknown_names():
    with pytest.raises(UnknownNameError, match="Did you mean dino_vits16"):
        load_backbone("dino_vits61")
    with pytest.raises(InputError, match="Did you mean vit_small_patch16_224"):
        load_backbone("random:vit_smal_patch16_224")
    with pytest.raises(InputError, match=r"does not take these options.*colour"):
        load_backbone(f"random:{TINY},colour=blue")
    with pytest.raises(InputError, match="unknown dtype 'int4'"):
        load_backbone("pixels", dtype="int4")
    with pytest.raises(InputError, match="publishes no weights"):
        load_backbone("timm:vit_tiny_patch16_384.nothing")
    with pytest.raises(InputError, match="cannot embed 30×30 images"):
        load_backbone(f"random:{TINY}", resolution=30)


@pytest.mark.parametrize("alias", list(ALIASES))
def test_aliases_are_models_of_timm_with_published_weights(alias):
    config = timm.get_pretrained_cfg(ALIASES[alias].timm_name)
    assert config is not None and config.has_weights


def test_dino_preprocessing_is_the_authors_own():
    alias = ALIASES["dino_vits16"]
    transform = timm_transform(alias.timm_name, alias.resolution, alias.crop_fraction)
    assert (transform.resize, transform.crop, transform.interpolation) == (256, 224, "bicubic")
    np.testing.assert_allclose(transform.mean, (0.485, 0.456, 0.406))


def test_weights_that_cannot_be_fetched_name_the_file_to_put_where(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(DataError) as caught:
        load_backbone("dino_vits16")
    assert "no route to host" in caught.value.message
    target = weights_dir() / "vit_small_patch16_224.dino.safetensors"
    assert str(target) in caught.value.hint
    assert "vit_small_patch16_224.dino/resolve/main/model.safetensors" in caught.value.hint


def test_weights_in_the_weights_folder_are_used():
    name = ALIASES["dino_vits16"].timm_name
    torch.manual_seed(3)
    module = timm.create_model(name, num_classes=0)
    weights_dir().mkdir(parents=True)
    save_file(module.state_dict(), weights_dir() / f"{name}.safetensors")
    backbone = load_backbone("dino_vits16", resolution=32)
    own = dict(backbone.encoder.named_parameters())
    assert torch.equal(own["module.blocks.3.attn.qkv.weight"], module.blocks[3].attn.qkv.weight)
    assert backbone.transform.crop == 32


def test_what_a_model_was_pretrained_on(tmp_path):
    path = tmp_path / "mine.pth"
    torch.save(tiny_vit().state_dict(), path)
    plain = load_backbone(f"{path}:{TINY}")
    marked = load_backbone(f"{path}:{TINY},pretrained_on=ssl-vit-mini")
    assert (plain.pretrained_on, marked.pretrained_on) == (None, "ssl-vit-mini")
    assert plain.spec == marked.spec
    with pytest.raises(UnknownNameError, match="Did you mean ssl-vit-mini"):
        load_backbone(f"{path}:{TINY},pretrained_on=sslvit-mini")


def test_published_models_hold_imagenet():
    folder = weights_dir()
    folder.mkdir(parents=True)
    module = timm.create_model("resnet18", num_classes=0)
    for name in ("resnet18.tv_in1k", "resnet18"):
        save_file(module.state_dict(), folder / f"{name}.safetensors")
        assert load_backbone(f"timm:{name}").pretrained_on == "imagenet-1k"
    marked = load_backbone("timm:resnet18.tv_in1k,pretrained_on=ssl-vit-tiered")
    assert (marked.pretrained_on, marked.spec) == ("ssl-vit-tiered", "timm:resnet18.tv_in1k")
    assert {alias.pretrained_on for alias in ALIASES.values()} == {"imagenet-1k"}
