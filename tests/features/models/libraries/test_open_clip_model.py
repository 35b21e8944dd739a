"""`open_clip:` models give the features of open_clip's `encode_image`."""

import json
import re
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from huggingface_hub import constants
from open_clip import pretrained
from PIL import Image
from safetensors.torch import save_file

from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.features import check_model, load_backbone

TEXT = {"context_length": 8, "vocab_size": 50, "width": 32, "heads": 2, "layers": 1}
VISION = {"image_size": 32, "layers": 2, "width": 32, "patch_size": 8, "head_width": 16}
CONFIGS = {
    "tiny": {"embed_dim": 24, "vision_cfg": VISION, "text_cfg": TEXT},
    "tiny-quickgelu": {
        "embed_dim": 24,
        "quick_gelu": True,
        "vision_cfg": VISION,
        "text_cfg": TEXT,
    },
    "tiny-timm": {
        "embed_dim": 24,
        "custom_text": True,
        "vision_cfg": {
            "timm_model_name": "vit_tiny_patch16_224",
            "timm_pool": "token",
            "timm_proj": "linear",
            "image_size": 224,
        },
        "text_cfg": TEXT,
    },
    "tiny-resnet": {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None},
        "text_cfg": TEXT,
    },
    "tiny-coca": {
        "embed_dim": 24,
        "custom_text": True,
        "vision_cfg": VISION | {"attentional_pool": True, "output_tokens": True},
        "text_cfg": TEXT | {"embed_cls": True, "output_tokens": True},
        "multimodal_cfg": TEXT | {"dim_head": 16, "n_queries": 4},
    },
}


@pytest.fixture(scope="module", autouse=True)
def architectures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("configs")
    for name, config in CONFIGS.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)


def saved(folder: Path, name: str, file: str = "weights.safetensors"):
    """Saves a random model; gives the model and its own preprocessing."""
    torch.manual_seed(0)
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.05)
    if file.endswith(".safetensors"):
        state = {key: tensor.contiguous().clone() for key, tensor in model.state_dict().items()}
        save_file(state, folder / file)
    else:
        torch.save({"state_dict": model.state_dict()}, folder / file)
    return model.eval(), preprocess


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("file", ["weights.safetensors", "weights.pt"])
def test_features_are_those_of_encode_image(tmp_path, name, file):
    model, preprocess = saved(tmp_path, name, file)
    backbone = load_backbone(f"open_clip:{name}/{tmp_path / file}")
    random = np.random.default_rng(0)
    image = Image.fromarray(random.integers(0, 256, (40, 50, 3), dtype=np.uint8))
    image.save(tmp_path / "image.png")
    pixels = torch.from_numpy(backbone.transform.read(tmp_path / "image.png"))[None]
    given = backbone.transform.normalise(pixels, torch.float32)
    own = preprocess(image)[None]
    std = torch.tensor(backbone.transform.std)[None, :, None, None]
    assert ((given - own).abs() * std * 255).max() <= 2.01  # rounded between two passes
    with torch.inference_mode():
        expected = model.encode_image(given)
    assert backbone.pooling == "head"
    torch.testing.assert_close(backbone.embed(pixels), expected, atol=1e-5, rtol=1e-5)


def test_tokens_are_normalised_and_come_before_the_projection(tmp_path):
    model, _ = saved(tmp_path, "tiny")
    pixels = torch.randint(256, (2, 32, 32, 3), dtype=torch.uint8)
    spec = f"open_clip:tiny/{tmp_path / 'weights.safetensors'}"
    cls = load_backbone(spec, pooling="cls")
    given = cls.transform.normalise(pixels, torch.float32)
    seen = []
    for block in model.visual.transformer.resblocks:
        block.register_forward_hook(lambda *each: seen.append(each[2]))
    with torch.inference_mode():
        expected = model.encode_image(given)
        torch.testing.assert_close(cls.embed(pixels) @ model.visual.proj, expected)
        normed = [model.visual.ln_post(each) for each in seen]
        two = load_backbone(spec, pooling="cls@2+mean").embed(pixels)
    wanted = torch.cat([normed[0][:, 0], normed[1][:, 0], normed[1][:, 1:].mean(1)], 1)
    torch.testing.assert_close(two, wanted, atol=1e-5, rtol=1e-5)


def test_pooling_of_the_towers_without_its_tokens(tmp_path):
    saved(tmp_path, "tiny-resnet")
    with pytest.raises(InputError, match="no tokens to pool"):
        load_backbone(f"open_clip:tiny-resnet/{tmp_path / 'weights.safetensors'}", pooling="mean")
    model, _ = saved(tmp_path, "tiny-timm")
    spec = f"open_clip:tiny-timm/{tmp_path / 'weights.safetensors'}"
    backbone = load_backbone(spec, pooling="mean")
    pixels = torch.randint(256, (2, 224, 224, 3), dtype=torch.uint8)
    given = backbone.transform.normalise(pixels, torch.float32)
    with torch.inference_mode():
        expected = model.visual.trunk.forward_features(given)[:, 1:].mean(1)
    torch.testing.assert_close(backbone.embed(pixels), expected, atol=1e-5, rtol=1e-5)


def test_another_resolution_is_resampled_as_open_clip_does(tmp_path):
    saved(tmp_path, "tiny")
    path = tmp_path / "weights.safetensors"
    backbone = load_backbone(f"open_clip:tiny/{path}", resolution=48)
    model = open_clip.create_model("tiny", pretrained=str(path), force_image_size=48).eval()
    pixels = torch.randint(256, (2, 48, 48, 3), dtype=torch.uint8)
    with torch.inference_mode():
        expected = model.encode_image(backbone.transform.normalise(pixels, torch.float32))
    assert (backbone.transform.resize, backbone.transform.crop) == (48, 48)
    torch.testing.assert_close(backbone.embed(pixels), expected, atol=1e-5, rtol=1e-5)


@pytest.fixture
def tags(monkeypatch):
    """Published weights of the tiny models."""
    known = {
        "tiny": {"plain": {"hf_hub": "owner/tiny/", "mean": (0.5,) * 3, "resize_mode": "squash"}},
        "tiny-quickgelu": {"plain": {"hf_hub": "owner/tiny/"}},
    }
    known["tiny"]["quick"] = {"hf_hub": "owner/tiny/", "quick_gelu": True}
    for name, published in known.items():
        monkeypatch.setitem(pretrained._PRETRAINED, name, published)


def test_a_tag_brings_its_preprocessing_and_activation(home, tags):
    folder = home / "weights"
    folder.mkdir(parents=True)
    saved(folder, "tiny", "tiny.plain.safetensors")
    plain = load_backbone("open_clip:tiny/plain")
    assert (plain.name, plain.transform.crop_mode) == ("tiny/plain", "squash")
    assert plain.transform.mean == (0.5, 0.5, 0.5)
    quick_model, _ = saved(folder, "tiny-quickgelu", "tiny.quick.safetensors")
    with pytest.warns(UserWarning, match="quick_gelu, which quick was trained with"):
        quick = load_backbone("open_clip:tiny/quick")
    assert quick.weights_sha256 == plain.weights_sha256  # the activation has no weights
    assert quick.spec != plain.spec
    pixels = torch.randint(256, (2, 32, 32, 3), dtype=torch.uint8)
    with torch.inference_mode():
        expected = quick_model.encode_image(quick.transform.normalise(pixels, torch.float32))
    torch.testing.assert_close(quick.embed(pixels), expected, atol=1e-5, rtol=1e-5)
    with pytest.raises(InputError, match="its weights plain were trained without"):
        load_backbone("open_clip:tiny-quickgelu/plain")


def test_names_are_checked_and_missing_weights_named(home, tags, tmp_path, monkeypatch):
    with pytest.raises(UnknownNameError, match="unknown open_clip architecture 'ViT-B-33'"):
        check_model("open_clip:ViT-B-33/openai")
    with pytest.raises(UnknownNameError, match="unknown weights of open_clip's tiny 'plane'"):
        check_model("open_clip:tiny/plane")
    with pytest.raises(InputError, match="Published: plain, quick"):
        check_model("open_clip:tiny")
    with pytest.raises(DataError, match="there is no weights file"):
        check_model(f"open_clip:tiny/{tmp_path / 'absent.pt'}")
    with pytest.raises(InputError, match="must be one number or three"):
        check_model("open_clip:tiny/plain,mean=(1,2)")
    check_model("open_clip:tiny-quickgelu")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="HF_HUB_OFFLINE is set") as error:
        load_backbone("open_clip:tiny/plain")
    assert f"save it as {home / 'weights' / 'tiny.plain.safetensors'}" in error.value.hint
    assert "https://huggingface.co/owner/tiny/tree/main" in error.value.hint


def test_weights_that_do_not_fit_are_refused(tmp_path):
    saved(tmp_path, "tiny-timm")
    with pytest.raises(DataError, match="does not hold the weights of tiny") as error:
        load_backbone(f"open_clip:tiny/{tmp_path / 'weights.safetensors'}")
    assert re.search(r"tiny: \d+ missing tensors, such as \S+; \d+ of another", error.value.message)
    assert "a file that open_clip saved for tiny" in error.value.hint
    torch.save({"visual.proj": pytest.raises}, tmp_path / "code.pt")
    with pytest.raises(DataError, match="holds more than tensors and plain data"):
        load_backbone(f"open_clip:tiny/{tmp_path / 'code.pt'}")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("list.pt", [1, 2], "holds a list, not a state dict"),
        ("bytes.pt", b"no weights at all" * 100, "is not a readable weights file"),
        ("text.bin", b"no weights at all" * 100, "is not a readable weights file"),
        ("text.safetensors", b"no weights at all" * 100, "does not hold the weights of tiny"),
        ("arrays.npz", {"x": np.zeros(3)}, "does not hold the weights of tiny: they are of anoth"),
    ],
)
def test_foreign_files_are_refused_in_a_line(tmp_path, name, content, problem):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    else:
        torch.save(content, path)
    with pytest.raises(DataError, match=re.escape(f"{path} {problem}")) as error:
        load_backbone(f"open_clip:tiny/{path}")
    assert error.value.hint
    assert len(error.value.message) < 300


@pytest.mark.parametrize("place", [0, 8, 200, -4000])
def test_damaged_weights_are_refused(tmp_path, place):
    saved(tmp_path, "tiny")
    path = tmp_path / "weights.safetensors"
    data = path.read_bytes()
    cut = data[:place] if place < 0 else data[:place] + bytes(8) + data[place + 8 :]
    path.write_bytes(cut)
    with pytest.raises(DataError, match=r"weights\.safetensors does not hold the weights of tiny"):
        load_backbone(f"open_clip:tiny/{path}")
