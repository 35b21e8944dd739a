"""Weights files: of torch in both of its formats, of safetensors with a card."""

import json

import pytest
import timm
import torch
from safetensors.torch import save_file

from lowlabel.errors import UserError
from lowlabel.features import check_weights, load_backbone

pytestmark = [pytest.mark.fuzz, pytest.mark.filterwarnings("ignore")]
TINY = "vit_tiny_patch16_224,img_size=32,patch_size=16,depth=1,embed_dim=192,num_heads=3"


@pytest.fixture(scope="module")
def tensors():
    name, *options = TINY.split(",")
    sizes = {key: int(value) for key, value in (each.split("=") for each in options)}
    torch.manual_seed(0)  # a mutation that fails is the same when it is tried again
    return timm.create_model(name, num_classes=0, **sizes).state_dict()


def read(path):
    check_weights(str(path))
    load_backbone(str(path), device="cpu")


def test_torch(tmp_path, attack, tensors):
    torch.save({"teacher": tensors, "epoch": 1}, tmp_path / "a.pth")
    assert attack(tmp_path / "a.pth", lambda path: read(f"{path}:{TINY}"), inside=True)


@pytest.mark.slow
def test_torch_without_an_architecture(tmp_path, attack, tensors):
    torch.save(tensors, tmp_path / "a.pth")
    attack(tmp_path / "a.pth", read, inside=True)


def test_torch_of_the_old_format(tmp_path, attack, tensors):
    torch.save(tensors, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert attack(tmp_path / "a.pth", lambda path: read(f"{path}:{TINY}"))


def test_safetensors_with_a_card(tmp_path, attack, tensors):
    card = {"architecture": TINY, "recipe": {"options": {"views": {"global_size": 32}}}}
    save_file(tensors, tmp_path / "a.safetensors", {"lowlabel": json.dumps(card)})
    attack(tmp_path / "a.safetensors", read)


def test_shapes_of_any_kind(tmp_path):
    """Tensors of 0 to 5 dimensions under the names that are looked at."""
    names = ("cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight")
    for name in names:
        for dimensions in range(6):
            content = {each: torch.zeros(1, 4, 192) for each in names}
            content |= {name: torch.zeros((2,) * dimensions), "norm.weight": torch.zeros(192)}
            torch.save(content, tmp_path / "a.pth")
            for spec in (tmp_path / "a.pth", f"{tmp_path / 'a.pth'}:{TINY}"):
                with pytest.raises(UserError):
                    read(spec)
