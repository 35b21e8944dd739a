"""Published weights, without a network."""

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from lowlabel.errors import DataError
from lowlabel.features import ALIASES, load_backbone
from lowlabel.features.models.architectures import timm_transform
from lowlabel.paths import weights_dir


@pytest.mark.parametrize("alias", [name for name in ALIASES if ALIASES[name].timm_name])
def test_aliases_are_models_of_timm_with_published_weights(alias):
    config = timm.get_pretrained_cfg(ALIASES[alias].timm_name)
    assert config is not None and config.has_weights


def test_dino_preprocessing_is_the_authors_own():
    alias = ALIASES["dino_vits16"]
    transform = timm_transform(alias.timm_name, alias.resolution, alias.crop_fraction)
    assert (transform.resize, transform.crop, transform.interpolation) == (256, 224, "bicubic")
    np.testing.assert_allclose(transform.mean, (0.485, 0.456, 0.406))


def test_weights_that_cannot_be_fetched_name_the_file_to_save(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(DataError) as caught:
        load_backbone("dino_vits16")
    assert "no route to host" in caught.value.message
    path = weights_dir() / "vit_small_patch16_224.dino.safetensors"
    assert str(path) in caught.value.hint
    assert "vit_small_patch16_224.dino/resolve/main/model.safetensors" in caught.value.hint


def test_weights_in_the_weights_folder_are_used():
    name = ALIASES["dino_vits16"].timm_name
    torch.manual_seed(3)
    module = timm.create_model(name, num_classes=0)
    weights_dir().mkdir(parents=True)
    save_file(module.state_dict(), weights_dir() / f"{name}.safetensors")
    backbone = load_backbone("dino_vits16", resolution=32)
    loaded = dict(backbone.encoder.named_parameters())
    assert torch.equal(loaded["module.blocks.3.attn.qkv.weight"], module.blocks[3].attn.qkv.weight)
    assert backbone.transform.crop == 32


def test_published_weights_are_marked_as_pretrained_on_imagenet():
    folder = weights_dir()
    folder.mkdir(parents=True)
    module = timm.create_model("resnet18", num_classes=0)
    for name in ("resnet18.tv_in1k", "resnet18"):
        save_file(module.state_dict(), folder / f"{name}.safetensors")
        assert load_backbone(f"timm:{name}").pretrained_on == "imagenet-1k"
    marked = load_backbone("timm:resnet18.tv_in1k,pretrained_on=ssl-vit-tiered")
    assert (marked.pretrained_on, marked.spec) == ("ssl-vit-tiered", "timm:resnet18.tv_in1k")
    others = {name for name, alias in ALIASES.items() if alias.pretrained_on != "imagenet-1k"}
    assert others == {"dino_vits16_googlelandmark"}


@pytest.mark.slow
def test_a_file_in_the_weights_folder_is_loaded_whole_or_refused():
    name = ALIASES["dinov2_vits14_reg"].timm_name
    module = timm.create_model(name, num_classes=0)
    state = module.state_dict()
    state["register_tokens"] = state.pop("reg_token")
    position = torch.ones_like(state["cls_token"])
    state["pos_embed"] = torch.cat([position, state["pos_embed"]], 1)
    state["mask_token"] = torch.zeros(1, 384)
    weights_dir().mkdir(parents=True)
    path = weights_dir() / f"{name}.pth"
    torch.save(state, path)
    loaded = load_backbone("dinov2_vits14_reg").encoder.module
    torch.testing.assert_close(loaded.cls_token, module.cls_token + 1)
    del state["blocks.3.ls1.gamma"]
    torch.save(state, path)
    with pytest.raises(DataError, match=r"missing: 1\n  blocks\.3\.ls1\.gamma"):
        load_backbone("dinov2_vits14_reg")
