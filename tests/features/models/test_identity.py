"""Published weights have one identity, however they are loaded."""

import json
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from lowlabel.datasets.splits import split_list
from lowlabel.errors import DataError
from lowlabel.features import ALIASES, load_backbone
from lowlabel.features.embedded import Embedder
from lowlabel.features.models.checkpoints.card import CARD_KEY
from lowlabel.features.models.code.trust import trust_code
from lowlabel.features.models.identity import (
    alias_identity,
    declared_identities,
    file_alias,
    file_identities,
    hub_alias,
)
from lowlabel.results.experiment import ModelInfo
from lowlabel.results.reference.numbers import identities
from lowlabel.training import make_recipe

DINO, NETWORK = "timm:vit_small_patch16_224.dino", "vit_small_patch16_224"
MINI = [row["wnid"] for row in split_list("ssl_vit") if row["mini"] == "yes"]
HUBCONF = """
import timm, torch
class Dino(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net, self.cls_token, self.patch_embed = net, net.cls_token, net.patch_embed
    def forward(self, x):
        return self.net(x)
    def get_intermediate_layers(self, x, n=1):
        return [self.net.forward_features(x)]
def dino_vits16(pretrained=True):
    net = timm.create_model("vit_small_patch16_224", num_classes=0)
    net.load_state_dict(torch.load(WEIGHTS))
    return Dino(net)
"""


@pytest.fixture(scope="module")
def ways(tmp_path_factory):
    """The same weights under an alias, timm's name, an authors' file and an entry of the hub."""
    home = tmp_path_factory.mktemp("home")
    (home / "weights").mkdir()
    torch.manual_seed(0)
    tensors = timm.create_model(NETWORK, num_classes=0).state_dict()
    file = home / "dino_deitsmall16_pretrain.pth"
    torch.save(tensors, file)
    save_file(tensors, home / "weights" / f"{NETWORK}.dino.safetensors")
    text = HUBCONF.replace("WEIGHTS", repr(str(file)))
    (home / "hubconf.py").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOWLABEL_HOME", str(home))
        specs = ("dino_vits16", DINO, str(file), f"hub:{home}:dino_vits16")
        trust_code(specs[-1])
        yield [load_backbone(spec, device="cpu") for spec in specs]


@pytest.mark.slow
def test_alias_timm_file_and_hub_are_one_model(ways):
    pixels = torch.randint(256, (2, 224, 224, 3), dtype=torch.uint8)
    expected = ways[0].embed(pixels)
    for backbone in ways:
        assert DINO in identities(ModelInfo(**vars(Embedder.of(backbone))))
        assert (backbone.pretrained_on, backbone.pooling) == ("imagenet-1k", "cls")
        torch.testing.assert_close(backbone.embed(pixels), expected)
    assert ways[0].weights_sha256 == ways[2].weights_sha256


@pytest.mark.parametrize(
    ("file", "network", "expected"),
    [
        ("dino_deitsmall16_pretrain_full_checkpoint", NETWORK, DINO),
        ("dino_vitbase8_pretrain", "vit_base_patch8_224", "timm:vit_base_patch8_224.dino"),
        ("dino_xcit_small_12_p16_pretrain", "xcit_small_12_p16_224", "dino_xcit_small_12_p16"),
        ("dino_vitsmall16_googlelandmark_pretrain", NETWORK, "dino_vits16_googlelandmark"),
        (
            "dinov2_vits14_reg4_pretrain",
            "vit_small_patch14_reg4_dinov2",
            "timm:vit_small_patch14_reg4_dinov2.lvd142m",
        ),
        (
            "dinov3_vits16_pretrain_lvd1689m-08c60483",
            "vit_small_patch16_dinov3",
            "timm:vit_small_patch16_dinov3.lvd1689m",
        ),
        ("mini_imagenet_checkpoint", NETWORK, "ssl-vit-mini"),
        ("tiered_imagenet_checkpoint", NETWORK, "ssl-vit-tiered"),
        ("cub_checkpoint", NETWORK, DINO),
        ("cars_ssl-vit-ms", NETWORK, "tuned:cars_ssl-vit-ms"),
        ("resnet50-0676ba61", "resnet50", "timm:resnet50.tv_in1k"),
    ],
)
def test_authors_files_have_an_identity_on_their_own_network_alone(file, network, expected):
    path = Path(f"{file}.pth")
    assert file_identities(path, "", network, None) == (expected,)
    assert file_identities(path, "", "vit_tiny_patch16_224", None) == ()
    assert file_identities(path, "", network, "student") == ()


def test_an_authors_name_means_nothing_on_a_network_of_other_depth(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "mini_imagenet_checkpoint.pth"
    torch.save(timm.create_model(NETWORK, num_classes=0, depth=1).state_dict(), path)
    assert load_backbone(f"{path}:{NETWORK},depth=1", device="cpu").identities == ()


def test_other_names_have_none():
    for name in ("own.pth", "backbone.safetensors", "dino_vits16_mine.pth", "checkpoint.pth"):
        assert file_identities(Path(name), "", NETWORK, None) == ()
    assert file_identities(Path("own.pth"), f"{NETWORK}.dino", f"{NETWORK}.dino", None) == (DINO,)
    assert hub_alias("me/fork", "dino_vits16") is None
    assert hub_alias("facebookresearch/dino:main", "dino_vits16") == "dino_vits16"
    assert hub_alias("facebookresearch/dino:main", "resnet50") is None


@pytest.mark.parametrize("alias", [name for name in ALIASES if ALIASES[name].url])
def test_an_alias_of_an_authors_file_is_the_file(alias):
    name = ALIASES[alias].url.rpartition("/")[2]
    assert file_alias(Path(name)) == alias
    assert timm.is_model(ALIASES[alias].architecture)


@pytest.mark.slow
def test_an_authors_file_comes_from_the_weights_folder_or_says_where_to_get_it(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("LOWLABEL_HOME", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    url = f"file://{tmp_path}/absent/dino_resnet50_pretrain.pth"
    monkeypatch.setitem(ALIASES, "dino_resnet50", _with_url(ALIASES["dino_resnet50"], url))
    with pytest.raises(DataError, match="cannot fetch the weights of dino_resnet50") as error:
        load_backbone("dino_resnet50", device="cpu")
    assert url in str(error.value)
    assert str(tmp_path / "weights") in str(error.value)
    torch.manual_seed(0)
    module = timm.create_model("resnet50", num_classes=0)
    torch.save(module.state_dict(), tmp_path / "weights" / "dino_resnet50_pretrain.pth")
    backbone = load_backbone("dino_resnet50", device="cpu")
    assert (backbone.name, backbone.identities) == ("dino_resnet50", ("dino_resnet50",))
    assert (backbone.pooling, backbone.pretrained_on) == ("head", "imagenet-1k")
    assert (backbone.transform.resize, backbone.transform.crop) == (256, 224)


def _with_url(alias, url):
    return type(alias)(**vars(alias) | {"url": url})


def test_xcit_files_have_the_names_of_the_authors_code(tmp_path):
    torch.manual_seed(0)
    module = timm.create_model("xcit_nano_12_p16_224", num_classes=0).eval()
    tensors = {k.replace("pos_embed.", "pos_embeder."): v for k, v in module.state_dict().items()}
    assert tensors.keys() != module.state_dict().keys()
    path = tmp_path / "dino_xcit_nano_pretrain.pth"
    torch.save(tensors, path)
    backbone = load_backbone(f"{path}:xcit_nano_12_p16_224", device="cpu")
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(backbone.encoder.head(images), module(images))


def test_a_card_declares_its_preset_and_list_unless_something_differs(tmp_path):
    recipe = make_recipe(preset="demo-vit", seed=3).as_dict()
    assert declared_identities(recipe, MINI) == ("recipe:demo-vit mini",)
    assert declared_identities(recipe, ()) == ("recipe:demo-vit",)
    assert declared_identities(recipe, MINI[1:]) == ()
    named = recipe | {"preset": "ssl-vit-mini"}
    assert declared_identities(named, MINI) == ("recipe:ssl-vit mini",)
    assert declared_identities(named, ()) == ("recipe:ssl-vit-mini",)
    changed = make_recipe(preset="demo-vit", settings=["lr=1e-3"], epochs=3)
    assert changed.changed == ("epochs", "lr")
    assert declared_identities(changed.as_dict(), MINI) == ()
    assert declared_identities(make_recipe("dino").as_dict(), ()) == ()


def test_a_backbone_of_ours_has_the_identity_and_the_pretraining_that_its_card_declares(tmp_path):
    arch = "vit_tiny_patch16_224,img_size=32,patch_size=8,depth=2"
    recipe = make_recipe(preset="demo-vit").as_dict()
    card = {"architecture": arch, "method": "dino", "recipe": recipe, "class_list": MINI}
    module = load_backbone(f"random:{arch}", device="cpu").encoder.module
    path = tmp_path / "backbone.safetensors"
    save_file(module.state_dict(), path, {CARD_KEY: json.dumps(card)})
    found = load_backbone(str(path), device="cpu")
    assert found.identities == ("recipe:demo-vit mini",)
    assert found.pretrained_on == "ssl-vit-mini"


def test_identities_of_aliases_differ():
    assert len({alias_identity(name) for name in ALIASES}) == len(ALIASES)
