import pytest
import torch

from lowlabel.errors import InputError
from lowlabel.features import load_backbone
from lowlabel.features.pooling import Tokens, blocks_of, pool

TOKENS = Tokens(torch.randn(2, 4), torch.randn(2, 9, 4))


def test_poolings_follow_their_formulas():
    patches = TOKENS.patches.double()
    assert torch.equal(pool([TOKENS], "cls"), TOKENS.cls)
    torch.testing.assert_close(pool([TOKENS], "mean").double(), patches.sum(1) / 9)
    for name, power in (("gem", 3), ("gem4", 4), ("gem2.5", 2.5)):
        expected = ((patches.clamp(min=1e-6) ** power).sum(1) / 9) ** (1 / power)
        torch.testing.assert_close(pool([TOKENS], name).double(), expected, rtol=1e-5, atol=1e-7)
    joined = pool([TOKENS], "cls+mean")
    assert torch.equal(joined, torch.cat([pool([TOKENS], "cls"), pool([TOKENS], "mean")], 1))


def test_gem_of_power_one_is_the_mean_of_positive_patches():
    tokens = Tokens(None, TOKENS.patches.abs())
    torch.testing.assert_close(pool([tokens], "gem1"), pool([tokens], "mean"))


def test_impossible_poolings_are_refused():
    with pytest.raises(InputError, match="needs a class token"):
        pool([Tokens(None, TOKENS.patches)], "cls")
    for name in ("max", "gemx", "cls+max", "", "cls@0", "cls@", "head@2", "cls+head", "cls@2@3"):
        with pytest.raises(InputError, match="unknown pooling"):
            pool([TOKENS], name)


def test_last_blocks_are_joined_the_earliest_first():
    blocks = [Tokens(torch.randn(2, 4), torch.randn(2, 9, 4)) for _ in range(3)]
    joined = pool(blocks, "cls@2+mean")
    expected = [blocks[1].cls, blocks[2].cls, blocks[2].patches.mean(1)]
    torch.testing.assert_close(joined, torch.cat(expected, dim=1))
    assert [blocks_of(name) for name in ("cls", "cls@2+mean", "gem4@3")] == [1, 2, 3]


def test_blocks_are_the_normalised_outputs_of_a_vit():
    backbone = load_backbone(
        "random:vit_tiny_patch16_224,img_size=32,patch_size=8,depth=3", pooling="cls@2+gem4@3"
    )
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    images = backbone.transform.normalise(pixels, torch.float32).contiguous()
    network, outputs = backbone.encoder.module, []
    for block in network.blocks:
        block.register_forward_hook(lambda *call: outputs.append(network.norm(call[2])))
    network.forward_features(images)
    blocks = [Tokens(output[:, 0], output[:, 1:]) for output in outputs]
    expected = pool(blocks, "cls@2+gem4@3")
    assert expected.shape == (2, 5 * 192)
    torch.testing.assert_close(backbone.embed(pixels), expected, atol=1e-5, rtol=1e-4)
    last = load_backbone(backbone.spec, pooling="cls@1").embed(pixels)
    torch.testing.assert_close(last, blocks[-1].cls, atol=1e-5, rtol=1e-4)


def test_missing_blocks_are_an_error():
    spec = "random:vit_tiny_patch16_224,img_size=32,patch_size=8,depth=3"
    pixels = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    with pytest.raises(InputError, match="last 4 blocks, but the model has 3"):
        load_backbone(spec, pooling="cls@4").embed(pixels)
    with pytest.raises(InputError, match="gives its last block only"):
        load_backbone("random:resnet10t", pooling="mean@2", resolution=32).embed(pixels)
