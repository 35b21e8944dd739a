"""What names on the Hub tell of published models."""

import pytest

from lowlabel.features import ALIASES
from lowlabel.features.models.identity import alias_identity
from lowlabel.features.models.libraries.hub_names import hub_alias_of, hub_data


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("facebook/dino-vits16", "dino_vits16"),
        ("facebook/dino-vitb8", "dino_vitb8"),
        ("facebook/dinov2-giant", "dinov2_vitg14"),
        ("facebook/dinov2-with-registers-base", "dinov2_vitb14_reg"),
        ("facebook/dinov3-vits16plus-pretrain-lvd1689m", "dinov3_vits16plus"),
        ("facebook/dinov3-vit7b16-pretrain-lvd1689m", "dinov3_vit7b16"),
    ],
)
def test_official_models_are_those_of_the_aliases(name, alias):
    assert alias in ALIASES
    assert hub_alias_of(name) == (alias_identity(alias),)
    assert hub_data(name) == "imagenet-1k"


def test_other_models_have_no_alias():
    for name in (
        "someone/dinov2-small",
        "facebook/dinov2-small-imagenet1k-1-layer",
        "dinov2-small",
    ):
        assert hub_alias_of(name) == ()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("facebook/vit-mae-base", "imagenet-1k"),
        ("google/vit-base-patch16-224-in21k", "imagenet-1k"),
        ("/models/swin-tiny-patch4-window7-224", "imagenet-1k"),
        ("weights/facebook--dinov2-small", "imagenet-1k"),
        ("facebook/ijepa_vith14_1k", "imagenet-1k"),
        ("facebook/dinov3-convnext-tiny-pretrain-lvd1689m", "imagenet-1k"),
        ("openai/clip-vit-base-patch32", None),
        ("google/siglip-base-patch16-224", None),
        ("facebook/dinov3-vitl16-pretrain-sat493m", None),
    ],
)
def test_the_data_are_known_by_the_name_whoever_publishes_it(name, data):
    assert hub_data(name) == data
