"""Options in names and cards neither open files nor ask the network, nor take time or memory."""

import json

import pytest
import torch
from safetensors.torch import save_file

from lowlabel.errors import DataError, InputError
from lowlabel.features import load_backbone

VIT = "vit_tiny_patch16_224"
HOSTILE = [
    ("checkpoint_path=/etc/passwd", "does not take the option checkpoint_path"),
    ("pretrained=True", "does not take the option pretrained"),
    ("cache_dir=/tmp", "does not take the option cache_dir"),
    ("pretrained_cfg=x", "does not take the option pretrained_cfg"),
    ("depth=1000000", "depth=1000000 of .* is too large; at most 1,000"),
    ("embed_dim=1000000,num_heads=1,depth=1", "needs .* GiB of memory"),
    ("mlp_ratio=1e12", "needs .* GiB of memory|cannot make"),
    ("embed_dim=99999999999", "is too large"),
    ("embed_dim=-192", "cannot make .*negative"),
    ("num_heads=0", "cannot make"),
    ("patch_size=0", "cannot make"),
    ("img_size=0", "img_size=0 of .* is not possible"),
    ("img_size=(1, 2, 3)", "is not possible"),
    ("img_size=large", "is not possible"),
]


@pytest.mark.parametrize(("options", "message"), HOSTILE)
@pytest.mark.parametrize("form", ["random", "card"])
def test_hostile_options_are_refused_before_they_cost_anything(tmp_path, form, options, message):
    spec = f"random:{VIT},{options}"
    if form == "card":
        spec = str(tmp_path / "net.safetensors")
        card = {
            "architecture": f"{VIT},{options}",
            "recipe": {"options": {"views": {"global_size": 32}}},
        }
        save_file({"w": torch.zeros(1)}, spec, {"lowlabel": json.dumps(card)})
    with pytest.raises(InputError, match=message):
        load_backbone(spec, device="cpu")


@pytest.mark.parametrize(
    "card", ["[" * 100_000, "[]", "{}", '{"architecture": 3}', '{"recipe": []}', "null"]
)
def test_a_card_of_another_form_is_no_traceback(tmp_path, card):
    save_file({"w": torch.zeros(1)}, tmp_path / "net.safetensors", {"lowlabel": card})
    with pytest.raises(DataError, match="is not one that lowlabel writes"):
        load_backbone(str(tmp_path / "net.safetensors"), device="cpu")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("architecture", 3, "architecture is 3, not a text"),
        ("architecture", None, "it has no architecture"),
        ("pretrained_on", ["demo"], r'pretrained_on is \["demo"\], not a text'),
        ("epochs", "x", 'epochs is "x", not a number'),
        ("epochs", True, "epochs is true, not a number"),
        ("epochs", float("nan"), "epochs is not finite"),
        ("class_list", {"a": 1}, "class_list is .*, not a list"),
        ("class_list", [[]], "class_list holds other values than texts"),
        ("recipe", "x", 'recipe is "x", not a table'),
        ("recipe", {}, r"it has no options\.views\.global_size"),
        ("method", 7, "method is 7, not a text"),
        ("name", {}, "name is {}, not a text"),
    ],
)
def test_a_field_of_a_card_of_another_kind_is_named(tmp_path, field, value, message):
    card = {"architecture": VIT, "recipe": {"options": {"views": {"global_size": 32}}}}
    card[field] = value
    save_file({"w": torch.zeros(1)}, tmp_path / "net.safetensors", {"lowlabel": json.dumps(card)})
    with pytest.raises(DataError, match=f"is not one that lowlabel writes: {message}"):
        load_backbone(str(tmp_path / "net.safetensors"), device="cpu")


def test_views_of_any_size_in_a_card_are_refused(tmp_path):
    card = {"architecture": VIT, "recipe": {"options": {"views": {"global_size": 10**6}}}}
    save_file({"w": torch.zeros(1)}, tmp_path / "net.safetensors", {"lowlabel": json.dumps(card)})
    with pytest.raises(DataError, match="its images have 1000000 pixels"):
        load_backbone(str(tmp_path / "net.safetensors"), device="cpu")
