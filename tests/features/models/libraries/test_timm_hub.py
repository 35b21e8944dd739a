"""`hf-hub:` models give the features of timm's own loader."""

import json

import pytest
import timm
import torch
from huggingface_hub import constants
from timm.models import save_for_hf
from timm.models._hub import load_model_config_from_path

from lowlabel.errors import DataError, InputError
from lowlabel.features import check_model, load_backbone

NETWORK = "vit_tiny_patch16_224"
OPTIONS = {"img_size": 64, "depth": 2, "init_values": 1e-1}


@pytest.fixture
def folder(tmp_path):
    """A model in the form in which timm saves it for the Hub."""
    torch.manual_seed(0)
    module = timm.create_model(NETWORK, num_classes=3, **OPTIONS).eval()
    for parameter in module.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.05)
    module.pretrained_cfg = module.pretrained_cfg | {
        "input_size": (3, 64, 64),
        "mean": (0.4, 0.5, 0.6),
        "crop_pct": 0.8,
        "interpolation": "bilinear",
    }
    save_for_hf(module, tmp_path / "model", model_args=OPTIONS)
    return tmp_path / "model"


def test_features_and_preprocessing_are_those_of_timm(folder):
    backbone = load_backbone(f"hf-hub:{folder}")
    own = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    pixels = torch.randint(256, (2, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        expected = own(backbone.transform.normalise(pixels, torch.float32))
    torch.testing.assert_close(backbone.embed(pixels), expected, atol=1e-5, rtol=1e-5)
    config = timm.data.resolve_model_data_config(own)
    transform = backbone.transform
    assert (transform.resize, transform.crop) == (80, 64)
    assert transform.mean == tuple(config["mean"]) == (0.4, 0.5, 0.6)
    assert transform.std == tuple(config["std"])
    assert transform.interpolation == config["interpolation"] == "bilinear"
    assert load_model_config_from_path(folder)[1] == NETWORK
    assert (backbone.pooling, backbone.name) == ("cls", "model")


def test_options_follow_the_name_and_are_part_of_the_model(folder):
    plain = load_backbone(f"hf-hub:{folder}")
    mean = load_backbone(f"hf-hub:{folder},global_pool=avg,fc_norm=False")
    assert plain.spec != mean.spec
    pixels = torch.randint(256, (2, 64, 64, 3), dtype=torch.uint8)
    pooled = load_backbone(f"hf-hub:{folder}", pooling="mean").embed(pixels)
    torch.testing.assert_close(mean.embed(pixels), pooled, atol=1e-5, rtol=1e-5)
    with pytest.raises(InputError, match="does not take the option pretrained"):
        load_backbone(f"hf-hub:{folder},pretrained=True")


def test_another_resolution_is_resampled_as_timm_does(folder):
    backbone = load_backbone(f"hf-hub:{folder}", resolution=96)
    own = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0, img_size=96)
    pixels = torch.randint(256, (2, 96, 96, 3), dtype=torch.uint8)
    with torch.inference_mode():
        expected = own.eval()(backbone.transform.normalise(pixels, torch.float32))
    torch.testing.assert_close(backbone.embed(pixels), expected, atol=1e-5, rtol=1e-5)
    assert (backbone.transform.resize, backbone.transform.crop) == (120, 96)


def test_a_mistyped_option_is_named_with_similar_ones(folder):
    with pytest.raises(InputError, match=r"does not accept the options init_valuse\n") as error:
        load_backbone(f"hf-hub:{folder},init_valuse=1e-5")
    assert "Did you mean init_values" in error.value.hint


def test_files_of_another_form_are_refused(folder, tmp_path):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"model_args": {"checkpoint_path": "/etc/passwd"}}))
    with pytest.raises(InputError, match="does not take the option checkpoint_path"):
        check_model(f"hf-hub:{folder}")
    path.write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(DataError, match="not the configuration of a model of timm"):
        check_model(f"hf-hub:{folder}")
    path.write_text(json.dumps(config | {"architecture": "vit_tinny_patch16_224"}))
    with pytest.raises(InputError, match="Did you mean vit_tiny_patch16_224"):
        check_model(f"hf-hub:{folder}")


def test_weights_of_timm_are_known_by_their_name(folder, home, monkeypatch):
    by_hand = home / "weights" / "timm--vit_tiny_patch16_224.augreg_in21k"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="HF_HUB_OFFLINE is set") as error:
        load_backbone("hf-hub:timm/vit_tiny_patch16_224.augreg_in21k")
    assert str(by_hand) in error.value.hint
    by_hand.parent.mkdir(parents=True, exist_ok=True)
    folder.rename(by_hand)
    backbone = load_backbone("hf-hub:timm/vit_tiny_patch16_224.augreg_in21k")
    assert backbone.identities == ("timm:vit_tiny_patch16_224.augreg_in21k",)
    assert backbone.pretrained_on == "imagenet-1k"


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [0.5, 0.5, "x"]},
        {"std": [1, 1, 0]},
        {"crop_pct": -0.5},
        {"crop_pct": 1e-9},
        {"interpolation": "none"},
        {"input_size": "x"},
    ],
)
def test_preprocessing_that_cannot_be_is_refused(folder, change):
    path = folder / "config.json"
    card = json.loads(path.read_text())
    card["pretrained_cfg"] |= change
    path.write_text(json.dumps(card))
    with pytest.raises(DataError, match=r"config\.json is not the configuration"):
        load_backbone(f"hf-hub:{folder}")


def test_a_configuration_without_sizes_has_timms(folder):
    path = folder / "config.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"pretrained_cfg": 0.0}))
    with pytest.raises(InputError, match="cannot embed images of 224×224 pixels"):
        load_backbone(f"hf-hub:{folder}")
