import copy

import numpy as np
import pytest
import torch

from lowlabel.analysis.attention import class_attention, patch_tokens
from lowlabel.analysis.attention.class_attention import grid_of
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features import load_backbone

SMALL = "img_size=32,patch_size=8,embed_dim=32,depth=2,num_heads=4"
VIT = f"random:vit_tiny_patch16_224,{SMALL}"
MODELS = {
    "plain": VIT,
    "qk_norm": f"{VIT},qk_norm=True",
    "registers": f"{VIT},reg_tokens=3",
    "scaled": f"{VIT},init_values=0.1,no_embed_class=True,reg_tokens=1",
    "distilled": f"random:deit_tiny_distilled_patch16_224,{SMALL}",
    "deit3": f"random:deit3_small_patch16_224,{SMALL}",
    "rotary": f"random:vit_small_patch16_dinov3,{SMALL}",
    "eva02": f"random:eva02_tiny_patch14_224,{SMALL},ref_feat_shape=None",
}


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def sharp(spec):
    """A model whose untrained attention is far from uniform."""
    backbone = load_backbone(spec, device="cpu")
    for name, weights in backbone.encoder.named_parameters():
        if name.endswith(("qkv.weight", "q_proj.weight", "k_proj.weight")):
            weights.data *= 20
        if name.endswith("cls_token"):  # some begin at 1e-6, which the norm lets vanish
            weights.data += torch.linspace(-1, 1, weights.numel()).view_as(weights)
    return backbone


def reference(backbone, pixels, number):
    """Softmax of q·k of the class token, from the block's weights, in float64."""
    module = copy.deepcopy(backbone.encoder.module).double()
    block = module.blocks[number]
    inputs = []
    block.register_forward_pre_hook(
        lambda _, args, kwargs: inputs.append((args[0], kwargs)), with_kwargs=True
    )
    images = backbone.network_input(torch.from_numpy(pixels)[None]).double()
    module.forward_features(images)
    tokens, given = inputs[0]
    attention, normed = block.attn, block.norm1(tokens)
    heads = attention.num_heads
    if getattr(attention, "qkv", None) is not None:
        products = normed @ attention.qkv.weight.T
        if getattr(attention, "q_bias", None) is not None:
            products += torch.cat([attention.q_bias, attention.k_bias, attention.v_bias])
        elif attention.qkv.bias is not None:
            products += attention.qkv.bias
        query, key, _ = products.chunk(3, dim=-1)
    else:
        query, key = attention.q_proj(normed), attention.k_proj(normed)
    query, key = (each[0].unflatten(-1, (heads, -1)).transpose(0, 1) for each in (query, key))
    query, key = attention.q_norm(query), attention.k_norm(key)
    if (rope := given.get("rope")) is not None:
        half = getattr(attention, "rotate_half", False)
        query, key = (rotated(each, rope.double(), half) for each in (query, key))
    scores = torch.einsum("hd,hnd->hn", query[:, 0], key) / query.shape[-1] ** 0.5
    return scores.softmax(dim=-1)


def rotated(values, rope, half):
    """Turns the pairs of each patch's dimensions; tokens before the patches keep theirs."""
    prefix = values.shape[-2] - rope.shape[-2]
    sine, cosine = rope.chunk(2, dim=-1)
    kept, turned = values[:, :prefix], values[:, prefix:]
    if half:
        first, second = turned.chunk(2, dim=-1)
        partner = torch.cat([-second, first], dim=-1)
    else:
        partner = torch.stack([-turned[..., 1::2], turned[..., ::2]], dim=-1).flatten(-2)
    return torch.cat([kept, turned * cosine + partner * sine], dim=1)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("name", MODELS)
@torch.inference_mode()
def test_it_is_the_softmax_of_the_products_of_the_blocks_weights(name, number, pixels):
    backbone = sharp(MODELS[name])
    found = class_attention(backbone, pixels, str(number))
    assert found.block == f"blocks.{number}"
    assert found.patches.shape == (4, 4, 4)
    assert found.others.shape == (4, backbone.encoder.prefix_tokens)
    joined = np.concatenate([found.others, found.patches.reshape(4, 16)], axis=1)
    expected = reference(backbone, pixels, number).numpy()
    np.testing.assert_allclose(joined, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(joined.sum(axis=1), 1, atol=1e-6)
    assert expected.std() > 0.005  # uniform attention would prove nothing


@pytest.mark.parametrize("name", ["plain", "qk_norm", "rotary"])
def test_fused_and_written_out_attention_are_equal(name, pixels):
    backbone = sharp(MODELS[name])
    fused = class_attention(backbone, pixels)
    for block in backbone.encoder.module.blocks:
        assert block.attn.fused_attn
        block.attn.fused_attn = False
    written = class_attention(backbone, pixels)
    np.testing.assert_allclose(fused.patches, written.patches, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("spec", "block", "heads", "others"),
    [
        ("cait_xxs24_224,img_size=32,patch_size=8,depth=1", "blocks_token_only.1", 4, 1),
        (f"beit_base_patch16_224,{SMALL}", "blocks.1", 4, 1),
        (f"vit_base_patch16_siglip_224,{SMALL}", "attn_pool", 4, 0),
        (f"vit_so150m_patch16_reg4_map_256,{SMALL}", "attn_pool", 4, 0),
        (f"vit_small_patch16_18x2_224,{SMALL}", "blocks.1", 8, 1),  # two branches of 4 heads
        ("xcit_nano_12_p16_224,img_size=64,depth=1", "cls_attn_blocks.1", 4, 1),
    ],
)
def test_other_families(spec, block, heads, others, pixels):
    backbone = load_backbone(f"random:{spec}", device="cpu")
    side = backbone.transform.side
    found = class_attention(backbone, np.resize(pixels, (side, side, 3)))
    assert (found.block, found.patches.shape[0]) == (block, heads)
    assert found.others.shape == (heads, others)
    total = found.patches.sum(axis=(1, 2)) + found.others.sum(axis=1)
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_reading_changes_no_embedding_and_leaves_no_hook(pixels):
    backbone = load_backbone(MODELS["plain"], device="cpu")
    before = backbone.embed(torch.from_numpy(pixels)[None])
    class_attention(backbone, pixels)
    assert torch.equal(backbone.embed(torch.from_numpy(pixels)[None]), before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in backbone.encoder.modules())


def test_whole_images_of_any_size_have_a_grid_of_their_own(pixels):
    backbone = load_backbone(MODELS["plain"], framing="longest", resolution=60, device="cpu")
    wide = np.resize(pixels, (37, 60, 3))
    found = class_attention(backbone, wide)
    assert found.patches.shape == (4, 4, 7)
    assert found.extent == (32 / 37, 56 / 60)
    assert patch_tokens(backbone, wide).values.shape == (4, 7, 32)


@pytest.mark.parametrize("block", ["-1", "1", "blocks.1", None])
def test_the_last_block_has_several_names(block, pixels):
    assert class_attention(load_backbone(VIT, device="cpu"), pixels, block).block == "blocks.1"


@pytest.mark.parametrize("block", ["2", "-3", "blocks.7", "first"])
def test_a_block_that_does_not_exist_is_named(block, pixels):
    with pytest.raises(UnknownNameError, match="unknown block") as error:
        class_attention(load_backbone(VIT, device="cpu"), pixels, block)
    assert "Known: blocks.0, blocks.1." in error.value.hint


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("random:resnet10t", "no attention over the patches of an image can be read"),
        ("pixels", "no attention over the patches of an image can be read"),
        (f"{VIT},class_token=False,global_pool=avg", "has no class token"),
    ],
)
def test_models_without_class_attention_are_refused(spec, message, pixels):
    with pytest.raises(InputError, match=message):
        class_attention(load_backbone(spec, resolution=32, device="cpu"), pixels)


def test_a_difference_of_two_softmaxes_is_not_taken_for_attention(pixels):
    backbone = load_backbone(f"random:vit_dpwee_patch16_reg1_gap_256,{SMALL}", device="cpu")
    backbone.encoder.has_class_token = True  # timm has no such model with a class token
    backbone.encoder.prefix_tokens = 1
    with pytest.raises(InputError, match="combines 2 softmaxes"):
        class_attention(backbone, pixels)


@pytest.mark.parametrize(
    ("patches", "size", "patch", "grid"),
    [(12, (30, 47), 10, (3, 4)), (49, (224, 224), 8, (7, 7)), (8, (32, 65), 1, (2, 4))],
)
def test_grids(patches, size, patch, grid):
    assert grid_of(patches, size, patch) == grid


def test_patches_that_are_no_grid_are_refused():
    with pytest.raises(InputError, match="17 patches are no grid"):
        grid_of(17, (64, 64))
