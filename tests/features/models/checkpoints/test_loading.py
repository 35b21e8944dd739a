"""Checkpoints load from every format, and mismatches and damage are reported."""

import argparse
import zipfile
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_averaged_weights_are_taken_and_named(tmp_path: Path, tiny_vit):
    plain, averaged = tiny_vit(), tiny_vit()
    averaged.norm.bias.data.add_(1)
    path = tmp_path / "last.pth.tar"
    content = {"state_dict": plain.state_dict(), "state_dict_ema": averaged.state_dict()}
    torch.save(content, path)
    with pytest.warns(UserWarning, match="loaded state_dict_ema, not state_dict"):
        backbone = load_backbone(f"{path}:{TINY}")
    torch.testing.assert_close(backbone.embed(PIXELS), reference(averaged))
    for key in (f"{TINY},checkpoint_key=state_dict", "checkpoint_key=state_dict"):
        torch.testing.assert_close(load_backbone(f"{path}:{key}").embed(PIXELS), reference(plain))
    torch.save(content | {"state_dict_ema": None}, path)
    torch.testing.assert_close(load_backbone(f"{path}:{TINY}").embed(PIXELS), reference(plain))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("a.PTH", "_orig_mod."),
        ("a.pkl", "module._orig_mod."),
        ("a.Ckpt", "model."),
        ("a.SafeTensors", "any.backbone."),
    ],
)
def test_wrappers_and_suffixes_are_understood(tmp_path: Path, tiny_vit, name, prefix):
    state = {f"{prefix}{key}": tensor for key, tensor in tiny_vit().state_dict().items()}
    path = tmp_path / name
    if path.suffix == ".SafeTensors":
        save_file(state, path)
    else:
        loop = {"state": {0: {"exp_avg": torch.zeros(2)}}}
        torch.save({"state_dict": state, "optimizer": loop, "callbacks": {}}, path)
    for arch in (f":{TINY}", ""):
        torch.testing.assert_close(
            load_backbone(f"{path}{arch}").embed(PIXELS), reference(tiny_vit())
        )


def test_averaged_models_of_torch_are_loaded(tmp_path: Path, tiny_vit):
    average = torch.optim.swa_utils.AveragedModel(tiny_vit())
    average.module.norm.bias.data.add_(1)
    path = tmp_path / "average.pth"
    torch.save(average.state_dict(), path)
    for arch in (f":{TINY}", ""):
        backbone = load_backbone(f"{path}{arch}")
        torch.testing.assert_close(backbone.embed(PIXELS), reference(average.module))


def test_every_missing_tensor_is_an_error_that_shows_the_names_in_the_file(
    tmp_path: Path, tiny_vit
):
    state = tiny_vit().state_dict()
    path = tmp_path / "half.pth"
    torch.save({k: v for k, v in state.items() if not k.startswith("blocks.1")}, path)
    with pytest.raises(DataError, match=r"(?s)has 18 of the model's 30 tensors.*blocks\.1\.attn"):
        load_backbone(f"{path}:{TINY}")
    state["normal.bias"] = state.pop("norm.bias")
    torch.save({"state_dict": state}, path)
    with pytest.raises(
        DataError, match=r"(?s)29 of the model's 30.*norm\.bias \(192,\).*state_dict\.normal\.bias"
    ):
        load_backbone(f"{path}:{TINY}")


def test_tensors_that_are_left_over_are_an_error_unless_they_are_a_head(tmp_path: Path, tiny_vit):
    path = tmp_path / "more.pth"
    state = tiny_vit(num_classes=5).state_dict() | {"head_dist.bias": torch.zeros(5)}
    torch.save(state, path)
    with pytest.warns(UserWarning, match="left out 3 tensors of heads.*head.weight, head.bias"):
        load_backbone(f"{path}:{TINY}")
    for extra, names in (
        (tiny_vit(init_values=0.1), r"4\n  blocks\.0\.ls1\.gamma"),
        (tiny_vit(depth=3), r"12\n  blocks\.2\.norm1\.weight"),
        (tiny_vit(qk_norm=True), r"8\n  blocks\.0\.attn\.q_norm\.weight"),
    ):
        torch.save(extra.state_dict(), path)
        with pytest.raises(DataError, match=rf"(?s)left over in the file, and no head: {names}"):
            load_backbone(f"{path}:{TINY}")


def test_a_classifier_that_is_asked_for_must_be_in_the_file(tmp_path: Path):
    """Features of `num_classes=…` are its outputs, and were those of a random one."""
    state = timm.create_model("resnet10t", num_classes=5).state_dict()
    torch.save(state, tmp_path / "x.pth")
    assert load_backbone(f"{tmp_path / 'x.pth'}:resnet10t,num_classes=5").notes == ()
    with pytest.raises(DataError, match=r"fc.weight \(7, 512\): the file has \(5, 512\)"):
        load_backbone(f"{tmp_path / 'x.pth'}:resnet10t,num_classes=7")


@pytest.mark.slow
def test_missing_tensors_can_be_allowed_and_are_seeded(tmp_path: Path, tiny_vit):
    path = tmp_path / "part.pth"
    state = tiny_vit().state_dict()
    torch.save({k: v for k, v in state.items() if "blocks.1.mlp.fc2" not in k}, path)
    loaded = {}
    for number, option in enumerate(("True", "2", "0.1", "blocks.1.mlp.fc2.*", "True,seed=1")):
        torch.manual_seed(number)
        loaded[option] = load_backbone(f"{path}:{TINY},allow_missing={option}")
    hashes = {option: each.weights_sha256 for option, each in loaded.items()}
    assert len(set(hashes.values())) == 2
    assert hashes["True,seed=1"] != hashes["True"]
    assert "allow_missing=True,depth=2" in loaded["True"].spec
    assert loaded["True"].spec.endswith("seed=0")
    assert loaded["2"].notes == (
        "initialised 2 tensors that the file does not have: blocks.1.mlp.fc2.bias, "
        "blocks.1.mlp.fc2.weight",
    )
    for option in ("1", "0.01", "norm.*", "False"):
        with pytest.raises(DataError, match="missing: 2"):
            load_backbone(f"{path}:{TINY},allow_missing={option}")
    with pytest.raises(InputError, match="allow_missing=-1 is not possible"):
        load_backbone(f"{path}:{TINY},allow_missing=-1")
    torch.save(state, path)
    assert "seed" not in load_backbone(f"{path}:{TINY},allow_missing=True").spec


def test_other_sizes_are_resampled_as_timm_does(tmp_path: Path, tiny_vit):
    path = tmp_path / "large.pth"
    torch.save(tiny_vit(img_size=48).state_dict(), path)
    with pytest.warns(UserWarning, match=r"resampled .*pos_embed from \(1, 37, 192\) to \(1, 17"):
        module = load_backbone(f"{path}:{TINY}").encoder.module
    large = tiny_vit(img_size=48)
    expected = timm.layers.resample_abs_pos_embed(large.pos_embed, [4, 4])
    torch.testing.assert_close(module.pos_embed, expected)
    torch.save(tiny_vit(img_size=64, patch_size=16).state_dict(), path)
    module = load_backbone(f"{path}:{TINY}").encoder.module
    patch = tiny_vit(patch_size=16).patch_embed.proj.weight
    expected = timm.layers.resample_patch_embed(patch, [8, 8])
    torch.testing.assert_close(module.patch_embed.proj.weight, expected)


def test_a_network_for_grey_images_takes_the_mean_of_colours(tmp_path: Path, tiny_vit):
    grey, path = tiny_vit(in_chans=1), tmp_path / "grey.pth"
    torch.save(grey.state_dict(), path)
    images = torch.randn(2, 3, 32, 32)
    backbone = load_backbone(f"{path}:{TINY}")
    with torch.inference_mode():
        torch.testing.assert_close(
            backbone.encoder.module(images), grey(images.mean(1, keepdim=True))
        )
    torch.save(tiny_vit(in_chans=4).state_dict(), path)
    with pytest.raises(DataError, match=r"patch_embed\.proj\.weight .*the file has \(192, 4"):
        load_backbone(f"{path}:{TINY}")


def test_another_first_convolution_and_lost_statistics_are_errors(tmp_path: Path):
    state, path = timm.create_model("resnet10t").state_dict(), tmp_path / "net.pth"
    changed = {"conv1.0.weight": torch.zeros(24, 3, 5, 5)}
    torch.save(state | changed, path)
    with pytest.raises(DataError, match=r"conv1\.0\.weight .*the file has \(24, 3, 5, 5\)"):
        load_backbone(f"{path}:resnet10t")
    torch.save({k: v for k, v in state.items() if k != "bn1.running_var"}, path)
    with pytest.raises(DataError, match=r"missing: 1\n  bn1\.running_var"):
        load_backbone(f"{path}:resnet10t")
    torch.save({k: v for k, v in state.items() if "num_batches" not in k}, path)
    assert load_backbone(f"{path}:resnet10t").notes == (
        "left out 2 tensors of heads, pretraining or text: fc.weight, fc.bias",
    )


def test_numbers_of_other_types_are_converted_or_refused(tmp_path: Path, tiny_vit):
    path, state = tmp_path / "types.pth", tiny_vit().state_dict()
    torch.save({key: tensor.bfloat16() for key, tensor in state.items()}, path)
    weight = load_backbone(f"{path}:{TINY}").encoder.module.norm.weight
    assert weight.dtype == torch.float32
    torch.save({key: tensor.to(torch.int8) for key, tensor in state.items()}, path)
    with pytest.raises(DataError, match=r"30 tensors that are no floating-point.*int8"):
        load_backbone(f"{path}:{TINY}")
    shard = tmp_path / "model-00001-of-00002.bin"
    torch.save(state, shard)
    with pytest.raises(DataError, match="one file of several"):
        load_backbone(f"{shard}:{TINY}")


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
        with pytest.raises(DataError, match=r"cut\.pth") as caught:
            load_backbone(f"{tmp_path / 'cut.pth'}:{TINY}")
        assert "weights_only" not in str(caught.value)


def test_torchscript_is_refused_with_the_call_that_saves_its_weights(tmp_path: Path, tiny_vit):
    path = tmp_path / "traced.pt"
    torch.jit.trace(tiny_vit(), torch.zeros(1, 3, 32, 32)).save(path)
    with pytest.raises(DataError, match=r"TorchScript.*not run\n.*torch\.jit\.load") as caught:
        load_backbone(f"{path}:{TINY}")
    assert "weights_only" not in str(caught.value)


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


def test_a_file_that_declares_gigabytes_takes_no_memory(tmp_path: Path):
    path = tmp_path / "net.pth"
    torch.save({"weight": torch.zeros(4)}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in parts if name.endswith("data.pkl"))
    huge = b"\x80\x02c__builtin__\nbytearray\n\x8a\x05\0\0\0\0\x02\x85R."
    longer = parts[name].replace(b"K\x04tq", b"J\0\0\0\x7ftq")
    assert longer != parts[name]
    for content, message in ((huge, "makes a bytearray of 8589934592"), (longer, "declares 8,")):
        with zipfile.ZipFile(path, "w") as archive:
            for each, data in (parts | {name: content}).items():
                archive.writestr(each, data)
        with pytest.raises(DataError, match=message):
            load_backbone(f"{path}:{TINY}")


def test_a_tensor_that_stands_for_more_than_it_holds_is_refused(tmp_path: Path):
    torch.save({"w": torch.zeros(1).expand(1 << 40)}, tmp_path / "net.pth")
    with pytest.raises(DataError, match="w stands for 4,398,046,511,104 bytes and holds 4"):
        load_backbone(f"{tmp_path / 'net.pth'}:{TINY}")
