"""Official weights keep the contamination facts of their alias, however they are loaded."""

from pathlib import Path

import pytest
import torch

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features import check_model, load_backbone
from lowlabel.features.models import hub as hub_models
from lowlabel.features.models.aliases import ALIASES
from lowlabel.features.models.official import file_pretraining, hub_pretraining
from lowlabel.features.models.pretrained import holds_imagenet


@pytest.fixture(autouse=True)
def trusted(monkeypatch):
    """Code of repositories may run."""
    monkeypatch.setattr(hub_models, "require_trust", lambda repository: None)


TINY = "vit_tiny_patch16_224,img_size=32,patch_size=8,depth=2"


@pytest.mark.parametrize(
    "name",
    [
        "dino_deitsmall16_pretrain.pth",
        "dino_vitbase8_pretrain_full_checkpoint.pth",
        "dino_resnet50_pretrain.pth",
        "dinov2_vits14_pretrain.pth",
        "dinov2_vitb14_reg4_pretrain.pth",
        "dinov3_vits16_pretrain_lvd1689m-08c60483.pth",
        "deit_small_patch16_224-cd65a155.pth",
        "deit_3_small_224_21k.pth",
        "mae_pretrain_vit_base.pth",
        "mae_visualize_vit_large.pth",
        "vit-s-300ep.pth.tar",
        "moco_v2_800ep_pretrain.pth.tar",
        "resnet50-0676ba61.pth",
        "dino_vits16.pth",
        "vit_small_patch16_224.dino.safetensors",
    ],
)
def test_official_files_have_seen_imagenet(name):
    assert file_pretraining(Path(name), "vit_small_patch16_224") == "imagenet-1k"


@pytest.mark.parametrize(
    "name",
    [
        "dino_vitsmall16_googlelandmark_pretrain.pth",
        "dinov3_vitl16_pretrain_sat493m-eadcf0ff.pth",
        "backbone.safetensors",
        "resnet50.pth",
        "checkpoint.v2.pth",
    ],
)
def test_other_files_are_marked_with_nothing(name):
    assert file_pretraining(Path(name), "") is None


def test_a_tag_says_which_weights_a_file_has():
    own = Path("own.pth")
    assert file_pretraining(own, "vit_small_patch14_dinov2.lvd142m") == "imagenet-1k"
    assert file_pretraining(own, "vit_small_patch14_dinov2") is None
    assert file_pretraining(own, "no_such_net.tag") is None


@pytest.mark.parametrize(
    "entry", [n for n in ALIASES if n.startswith("dino") and "google" not in n]
)
def test_hub_entries_have_the_facts_of_their_alias(entry):
    repository = f"facebookresearch/{entry.partition('_')[0]}:main"
    assert hub_pretraining(repository, entry) == ALIASES[entry].pretrained_on
    assert hub_pretraining("/a/clone", entry) == ALIASES[entry].pretrained_on


@pytest.mark.parametrize(
    "name",
    [
        "vit_base_patch16_224.mae",
        "convnextv2_tiny.fcmae",
        "convnext_tiny.dinov3_lvd1689m",
        "resmlp_12_224.fb_dino",
        "eva02_large_patch14_224.mim_m38m",
        "mvitv2_base_cls.fb_inw21k",
        "deit_small_patch16_224.fb_in1k",
    ],
)
def test_tags_of_weights_that_have_seen_imagenet(name):
    assert holds_imagenet(name)


@pytest.mark.parametrize(
    "name",
    [
        "vit_base_patch16_clip_224.openai",
        "vit_large_patch16_dinov3.sat493m",
        "vit_base_patch16_siglip_224.webli",
        "samvit_base_patch16.sa1b",
    ],
)
def test_tags_of_weights_of_other_data(name):
    assert not holds_imagenet(name)


def test_other_entries_are_marked_with_nothing():
    assert hub_pretraining("me/mine", "resnet50") is None
    assert hub_pretraining("pytorch/vision", "resnet50") is None  # untrained by default
    assert hub_pretraining("facebookresearch/swav:main", "resnet50") == "imagenet-1k"


def test_a_loaded_model_carries_the_fact_and_what_is_said_wins(tmp_path, tiny_vit):
    path = tmp_path / "dino_deitsmall16_pretrain.pth"
    torch.save(tiny_vit().state_dict(), path)
    assert load_backbone(f"{path}:{TINY}").pretrained_on == "imagenet-1k"
    said = load_backbone(f"{path}:{TINY},pretrained_on=ssl-vit-mini")
    assert said.pretrained_on == "ssl-vit-mini"
    (tmp_path / "hubconf.py").write_text(
        "import torch\n\ndef dino_vits16():\n"
        "    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())\n"
    )
    plain = load_backbone(f"hub:{tmp_path}:dino_vits16")
    assert (plain.pretrained_on, plain.identities) == ("imagenet-1k", ())  # no DINO
    said = load_backbone(f"hub:{tmp_path}:dino_vits16,pretrained_on=ssl-vit-mini")
    assert (said.pretrained_on, said.name, said.spec) == ("ssl-vit-mini", plain.name, plain.spec)
    with pytest.raises(InputError, match="do not take: img_size"):
        load_backbone(f"hub:{tmp_path}:dino_vits16,img_size=64")
    with pytest.raises(UnknownNameError, match="pretraining set"):
        check_model(f"hub:{tmp_path}:dino_vits16,pretrained_on=mine")
