"""Backbones embed as their networks do, at every resolution, pooling and dtype."""

from pathlib import Path

import pytest
import torch

from lowlabel.errors import InputError
from lowlabel.features import load_backbone

TINY = "vit_tiny_patch16_224,img_size=32,patch_size=8,depth=2"


PIXELS = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)


def test_pixels_are_the_normalised_image():
    backbone = load_backbone("pixels", resolution=32)
    expected = backbone.transform.normalise(PIXELS, torch.float32).flatten(1)
    assert torch.equal(backbone.embed(PIXELS), expected)
    with pytest.raises(InputError, match="no tokens"):
        load_backbone("pixels", pooling="mean")


def test_position_embeddings_follow_the_resolution(tmp_path: Path, tiny_vit):
    path = tmp_path / "mine.pth"
    torch.save(tiny_vit().state_dict(), path)
    backbone = load_backbone(f"{path}:{TINY}", resolution=48)
    assert backbone.transform.crop == 48
    pixels = torch.zeros(1, 48, 48, 3, dtype=torch.uint8)
    assert backbone.embed(pixels).shape == (1, 192)


@pytest.mark.parametrize("pooling", ["mean", "cls+mean", "gem"])
def test_pooling_decides_the_width_of_vit_features(pooling):
    backbone = load_backbone(f"random:{TINY}", pooling=pooling)
    assert backbone.embed(PIXELS).shape == (3, 384 if "+" in pooling else 192)


def test_mean_pooling_of_a_convolutional_map_equals_the_head():
    mean = load_backbone("random:resnet10t", pooling="mean", resolution=32)
    head = load_backbone("random:resnet10t", resolution=32)
    torch.testing.assert_close(mean.embed(PIXELS), head.embed(PIXELS))
    with pytest.raises(InputError, match="needs a class token"):
        load_backbone("random:resnet10t", pooling="cls", resolution=32)


def test_features_are_float32_for_every_dtype():
    half = load_backbone(f"random:{TINY}", dtype="bfloat16").embed(PIXELS)
    full = load_backbone(f"random:{TINY}").embed(PIXELS)
    assert half.dtype == torch.float32
    assert 0 < (half - full).abs().max() < 0.2
