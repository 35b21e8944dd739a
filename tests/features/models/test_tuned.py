import json
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import load_file, save_file

from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.features import load_backbone
from lowlabel.features.models.base_card import base_card, tuned_tensors
from lowlabel.features.models.check import check_model, check_weights
from lowlabel.features.models.checkpoints.card import CARD_KEY
from lowlabel.features.models.embedding_head import EmbeddingHead, HeadShape

VIT = "random:vit_tiny_patch16_224,img_size=32,patch_size=8,depth=2"
RESNET = "random:resnet10t,channels=(4,6,8,10),stem_width=4"
FACTS = {
    "name": "mine",
    "dataset": "cub",
    "part": "train",
    "epoch": 3,
    "loss": "margin",
    "miner": "",
}


def export(folder, base, head, tuned="head"):
    """Writes a tuned model as training does."""
    card = {"method": "finetune", **FACTS, "tuned": tuned, **base_card(base)}
    card["embedding_head"] = asdict(head.shape)
    path = folder / "backbone.safetensors"
    save_file(tuned_tensors(base.encoder, head), path, {CARD_KEY: json.dumps(card)})
    return path


def make_head(base, **shape):
    torch.manual_seed(3)
    width = base.embed(pixels(base)).shape[1]
    form = HeadShape(input=base.pooling, **{"dimension": 5, **shape})
    return EmbeddingHead(width, form).eval()


def pixels(base):
    torch.manual_seed(4)
    return torch.randint(256, (3, *base.transform.blank, 3), dtype=torch.uint8)


@pytest.fixture
def vit():
    return load_backbone(VIT, device="cpu")


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("spec", [VIT, RESNET])
@torch.inference_mode()
def test_a_file_gives_what_its_head_makes_of_the_backbones_features(tmp_path, spec, layers):
    base = load_backbone(spec, resize=300 if spec == RESNET else None, device="cpu")
    head = make_head(base, layers=layers)
    path = export(tmp_path, base, head)
    images = pixels(base)
    tuned = load_backbone(str(path), device="cpu")
    expected = head(base.embed(images))
    torch.testing.assert_close(tuned.embed(images), expected)
    torch.testing.assert_close(expected.norm(dim=1), torch.ones(3))
    assert (tuned.name, tuned.transform, tuned.tuning["epoch"]) == ("mine", base.transform, 3)
    assert load_backbone(str(tmp_path), device="cpu").weights_sha256 == tuned.weights_sha256


@torch.inference_mode()
def test_the_backbone_alone_is_the_base_model(tmp_path, vit):
    path = export(tmp_path, vit, make_head(vit))
    with pytest.warns(UserWarning, match="left out 2 tensors of heads"):
        plain = load_backbone(f"{tmp_path}:head=none", device="cpu")
    torch.testing.assert_close(plain.embed(pixels(vit)), vit.embed(pixels(vit)))
    assert plain.weights_sha256 == vit.weights_sha256
    assert (plain.pooling, plain.name) == (vit.pooling, "mine, backbone")
    assert plain.tuning == {}
    assert plain.spec != load_backbone(str(path), device="cpu").spec


def test_a_backbone_that_was_tuned_says_so_without_its_head(tmp_path, vit):
    path = export(tmp_path, vit, make_head(vit), tuned="all")
    with pytest.warns(UserWarning, match="left out"):
        plain = load_backbone(f"{path}:head=none", device="cpu")
    assert (plain.tuning["tuned"], plain.tuning["output"]) == ("all", "backbone")


def test_heads_without_layers_differ_in_their_name_alone(tmp_path, vit):
    width = vit.embed(pixels(vit)).shape[1]
    found = []
    for normalise in (True, False):
        head = make_head(vit, layers=0, dimension=width, normalise=normalise)
        found.append(load_backbone(str(export(tmp_path, vit, head)), device="cpu"))
    assert found[0].spec != found[1].spec
    lengths = found[0].embed(pixels(vit)).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(3))
    torch.testing.assert_close(found[1].embed(pixels(vit)), vit.embed(pixels(vit)))


def test_positions_and_preprocessing_are_those_of_the_base_model(tmp_path):
    base = load_backbone(f"{VIT},pos_embed=dino", resolution=48, device="cpu")
    path = export(tmp_path, base, make_head(base))
    tuned = load_backbone(str(path), pooling=base.pooling, device="cpu")
    assert (tuned.positions, tuned.transform) == ("dino", base.transform)
    torch.testing.assert_close(tuned.embed(pixels(base)), base.embed(pixels(base)))
    smaller = load_backbone(str(path), resolution=32, device="cpu").transform
    assert (smaller.crop, smaller.resize) == (32, round(base.transform.resize * 32 / 48))


def test_a_head_of_another_form_than_its_card_is_refused(tmp_path, vit):
    path = export(tmp_path, vit, make_head(vit))
    tensors = load_file(path)
    tensors["embedding_head.layers.0.weight"] = torch.zeros(7, 192)
    card = {"method": "finetune", **FACTS, "tuned": "head", **base_card(vit)}
    card["embedding_head"] = asdict(HeadShape(1, 5, True, "cls"))
    save_file(tensors, path, {CARD_KEY: json.dumps(card)})
    with pytest.raises(DataError, match=r"another embedding head.*\(5, 192\).*\(7, 192\)"):
        load_backbone(str(path), device="cpu")
    del card["loss"]
    save_file(tensors, path, {CARD_KEY: json.dumps(card)})
    with pytest.raises(DataError, match=r"card in .* is not one that lowlabel writes: .*loss"):
        load_backbone(str(path), device="cpu")


def test_outputs_that_a_file_does_not_have_are_refused(tmp_path, vit):
    path = export(tmp_path, vit, make_head(vit))
    with pytest.raises(UnknownNameError, match="head 'nothing'"):
        load_backbone(f"{path}:head=nothing", device="cpu")
    plain = tmp_path / "plain.safetensors"
    save_file(vit.encoder.module.state_dict(), plain)
    arch = VIT.removeprefix("random:")
    with pytest.raises(InputError, match="has no embedding head"):
        load_backbone(f"{plain}:{arch},head=embedding", device="cpu")


def test_models_that_cannot_be_tuned_are_refused(tmp_path, vit):
    path = export(tmp_path, vit, make_head(vit))
    with pytest.raises(InputError, match="has an embedding head already"):
        base_card(load_backbone(str(path), device="cpu"))
    with pytest.raises(InputError, match="pixels has no parameters to tune"):
        base_card(load_backbone("pixels", device="cpu"))
    with pytest.raises(InputError, match="keeps images whole"):
        base_card(load_backbone(VIT, framing="square", device="cpu"))
    with pytest.raises(InputError, match="cannot give 5"):
        make_head(vit, layers=0)


def test_a_folder_is_checked_without_loading_its_model(tmp_path, vit):
    export(tmp_path, vit, make_head(vit))
    check_model(str(tmp_path))
    check_weights(f"{tmp_path}:head=none")
    with pytest.raises(DataError, match="holds no backbone"):
        check_model(str(tmp_path.parent))
