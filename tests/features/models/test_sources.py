"""Names of models."""

from pathlib import Path

import pytest
import torch

from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.features import check_model, load_backbone
from lowlabel.features.models import hub as hub_models
from lowlabel.paths import weights_dir


@pytest.fixture(autouse=True)
def trusted(monkeypatch):
    """Code of repositories may run."""
    monkeypatch.setattr(hub_models, "require_trust", lambda repository: None)


TINY = "vit_tiny_patch16_224,img_size=32,patch_size=8,depth=2"


PIXELS = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)


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


def test_a_hub_model_is_loaded_from_a_folder(tmp_path: Path):
    (tmp_path / "hubconf.py").write_text(
        "import torch\n\ndef tiny():\n"
        "    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())\n"
    )
    backbone = load_backbone(f"hub:{tmp_path}:tiny")
    assert (backbone.name, backbone.embed(PIXELS).shape) == ("tiny", (3, 12))
    with pytest.raises(InputError, match="no tokens"):
        load_backbone(f"hub:{tmp_path}:tiny", pooling="mean")
    with pytest.raises(DataError, match="cannot load hub:"):
        load_backbone(f"hub:{tmp_path}:nothing")


@pytest.mark.parametrize("option", ["pretrained=True", "pretrained=False", "checkpoint_path=x"])
def test_options_do_not_choose_the_weights(tmp_path: Path, tiny_vit, option: str):
    """`timm:NAME,pretrained=False` gave unseeded weights under the name of published ones."""
    torch.save(tiny_vit().state_dict(), tmp_path / "x.pth")
    name = "vit_tiny_patch16_224"
    weights_dir().mkdir(parents=True)
    torch.save(tiny_vit().state_dict(), weights_dir() / f"{name}.augreg_in21k.pth")
    for form in (f"random:{name}", f"{tmp_path / 'x.pth'}:{name}", f"timm:{name}.augreg_in21k"):
        with pytest.raises(InputError, match=r"does not take the option (pretrained|checkpoint)"):
            load_backbone(f"{form},{option}")


def test_a_path_without_a_model_is_told_as_a_path(tmp_path):
    (tmp_path / "run").mkdir()
    for load in (check_model, load_backbone):
        with pytest.raises(DataError, match="there is no file or folder runs/tuned"):
            load("runs/tuned")
        with pytest.raises(DataError, match=r"run holds no backbone\.safetensors"):
            load(f"{tmp_path}/run")
        with pytest.raises(DataError, match="hf:facebook/dino-vits16, one for timm hf-hub:"):
            load("facebook/dino-vits16")


def test_unknown_names_get_suggestions():
    with pytest.raises(UnknownNameError, match="Did you mean dino_vits16"):
        load_backbone("dino_vits61")
    with pytest.raises(InputError, match="Did you mean vit_small_patch16_224"):
        load_backbone("random:vit_smal_patch16_224")
    with pytest.raises(InputError, match=r"does not accept the options.*colour"):
        load_backbone(f"random:{TINY},colour=blue")
    with pytest.raises(InputError, match="unknown dtype 'int4'"):
        load_backbone("pixels", dtype="int4")
    with pytest.raises(InputError, match="publishes no weights"):
        load_backbone("timm:vit_tiny_patch16_384.nothing")
    with pytest.raises(InputError, match="cannot embed images of 30×30 pixels"):
        load_backbone(f"random:{TINY}", resolution=30)


def test_pretraining_data_can_be_named_and_stay_out_of_the_spec(tmp_path, tiny_vit):
    path = tmp_path / "mine.pth"
    torch.save(tiny_vit().state_dict(), path)
    plain = load_backbone(f"{path}:{TINY}")
    marked = load_backbone(f"{path}:{TINY},pretrained_on=ssl-vit-mini")
    assert (plain.pretrained_on, marked.pretrained_on) == (None, "ssl-vit-mini")
    assert plain.spec == marked.spec
    with pytest.raises(UnknownNameError, match="Did you mean ssl-vit-mini"):
        load_backbone(f"{path}:{TINY},pretrained_on=sslvit-mini")
