"""Poolings of one small model of each family of timm with tokens, maps or a pooling of its own."""

import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer

from lowlabel.errors import InputError
from lowlabel.features import Backbone, load_backbone
from lowlabel.features.models.encoders import TimmEncoder
from lowlabel.features.pooling import blocks_of, pool

SMALL = "depth=2,embed_dim=48,num_heads=2"
# class tokens and other tokens before the patches: of a map None, of several outputs "several"
FAMILIES = {
    f"beit_base_patch16_224,{SMALL}": (1, 1),
    "cait_xxs24_224,depth=2": (1, 1),
    "coat_lite_tiny": (1, 1),
    "coat_tiny": "several",
    "convit_tiny,depth=2": (1, 1),
    "crossvit_tiny_240": "several",
    f"deit3_small_patch16_224,{SMALL}": (1, 1),
    f"deit_tiny_distilled_patch16_224,{SMALL}": (1, 2),
    "edgenext_xx_small": None,
    "efficientvim_m1": "several",
    f"eva02_tiny_patch14_224,{SMALL}": (1, 1),
    "gmlp_ti16_224": (0, 0),
    "levit_128s": (0, 0),
    "mobilevit_xxs": None,
    "mvitv2_small_cls": (1, 1),
    f"naflexvit_base_patch16_gap,{SMALL}": (0, 4),
    "pit_ti_224": "class tokens",
    "pit_ti_distilled_224": "class tokens",
    "sam2_hiera_tiny": None,
    "swin_tiny_patch4_window7_224,embed_dim=24,depths=(1,1,1,1)": None,
    "test_byobnet": None,
    "test_coatnet": None,
    "test_convnext": None,
    "test_efficientnet": None,
    "test_mambaout": None,
    "test_nfnet": None,
    "test_resnet": None,
    "test_vit": (1, 1),
    "test_vit,fc_norm=True": (1, 1),
    "test_vit,global_pool=avg": (1, 1),
    "test_vit,class_token=False,global_pool=avg": (0, 0),
    "test_vit2": (0, 1),
    "test_vit3": (0, 1),
    "test_vit_relpos": (0, 0),
    "tnt_s_legacy_patch16_224,depth=2": (1, 1),
    f"vit_betwixt_patch16_rope_reg4_gap_256,{SMALL}": (0, 4),
    f"vit_pe_core_tiny_patch16_384,{SMALL}": (1, 1),
    f"vit_relpos_medium_patch16_cls_224,{SMALL}": (1, 1),
    f"vit_small_patch14_reg4_dinov2,{SMALL}": (1, 5),
    f"vit_small_patch16_dinov3,{SMALL}": (1, 5),
    f"vit_tiny_r_s16_p8_224,{SMALL}": (1, 1),
    "volo_d1_224": (1, 1),
    "xcit_nano_12_p8_224,depth=2": (1, 1),
}
SIDES = {
    "crossvit_tiny_240": 240,
    "eva02_tiny_patch14_224": 70,
    "vit_small_patch14_reg4_dinov2": 70,
    "vit_tiny_r_s16_p8_224": 96,
}


def load(arch: str, pooling: str | None = None) -> Backbone:
    """Loads a network; noise on every tensor makes all tokens differ."""
    side = SIDES.get(arch.partition(",")[0], 64)
    backbone = load_backbone(f"random:{arch}", pooling=pooling, resolution=side)
    generator = torch.manual_seed(0)
    for parameter in backbone.encoder.parameters():
        parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    return backbone


@pytest.mark.slow
@pytest.mark.parametrize("arch", FAMILIES)
def test_the_default_is_the_models_own_pooling(arch):
    backbone, generator = load(arch), torch.manual_seed(1)
    height, width = backbone.transform.blank
    pixels = torch.randint(0, 256, (2, height, width, 3), generator=generator, dtype=torch.uint8)
    images = backbone.transform.normalise(pixels, torch.float32)
    own = backbone.encoder.module(images)
    torch.testing.assert_close(backbone.embed(pixels), own, atol=1e-4, rtol=1e-4)
    _check_tokens(backbone.encoder, images, FAMILIES[arch])


def _check_tokens(encoder, images, expected):
    """Class tokens and patches of `forward_features`, or a refusal that says why."""
    output = encoder.module.forward_features(images)
    if expected == "several":
        for pooling in ("cls", "mean", "gem"):
            with pytest.raises(InputError, match="not one set of tokens or one map"):
                pool(encoder.blocks(images, 1), pooling)
        return
    tokens = encoder.tokens(images)
    if expected == "class tokens":
        assert torch.equal(pool([tokens], "cls"), output[:, 0])
        with pytest.raises(InputError, match="gives class tokens alone"):
            pool([tokens], "mean")
        return
    if expected is None:
        channels_last, classes = output.shape[1] == output.shape[2], 0
        patches = output.flatten(1, 2) if channels_last else output.flatten(2).mT
    else:
        classes, prefix = expected
        patches = output[:, prefix:]
    torch.testing.assert_close(pool([tokens], "mean"), patches.mean(1))
    torch.testing.assert_close(
        pool([tokens], "gem"), patches.clamp(min=1e-6).pow(3).mean(1).pow(1 / 3)
    )
    if classes:
        assert torch.equal(pool([tokens], "cls"), output[:, 0])
    else:
        with pytest.raises(InputError, match="needs a class token"):
            pool([tokens], "cls")
    _check_blocks(encoder, images, tokens)


def _check_blocks(encoder, images, tokens):
    """The last of several blocks is the block that one is; other networks refuse."""
    try:
        blocks = encoder.blocks(images, blocks_of("mean@2"))
    except InputError as error:
        assert "gives its last block only" in error.message
        return
    assert len(blocks) == 2
    torch.testing.assert_close(blocks[-1].patches, tokens.patches, atol=1e-4, rtol=1e-4)
    assert (blocks[-1].cls is None) == (tokens.cls is None)
    if tokens.cls is not None:
        torch.testing.assert_close(blocks[-1].cls, tokens.cls, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("arch", "side", "message"),
    [
        ("nest_tiny", 217, "timm cannot make nest_tiny,img_size=217: .*divide"),
        ("crossvit_tiny_240", 64, "cannot embed images of 64×64 pixels"),
        ("test_vit,embed_dim=50,num_heads=4", 64, "timm cannot make test_vit,"),
        ("test_vit.nothing", 64, "publishes no weights 'test_vit.nothing'"),
    ],
)
def test_a_network_that_cannot_be_is_an_error(arch, side, message):
    with pytest.raises(InputError, match=message):
        load_backbone(f"random:{arch}", resolution=side)


def test_a_pooling_of_the_users_own_code_is_the_default():
    """A subclass that pools otherwise is not taken for timm's class."""

    class Averaged(VisionTransformer):
        def pool(self, x, pool_type=None):
            return x.mean(dim=1)

    module = timm.create_model("test_vit", num_classes=0)
    assert TimmEncoder(module).pooling == "cls"
    module.__class__ = Averaged
    assert TimmEncoder(module).pooling == "head"
