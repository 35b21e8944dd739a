"""Keys of feature files."""

import dataclasses
import json

import pytest

from lowlabel.datasets import DATASETS, open_dataset
from lowlabel.features import (
    FeatureKey,
    feature_path,
    load_backbone,
)
from lowlabel.features.embedded import Embedder

TINY = "random:vit_tiny_patch16_224,img_size=16,patch_size=8,depth=1"


@pytest.mark.slow
def test_only_drawn_images_have_a_version_in_their_key(backbone, images):
    assert "version" not in FeatureKey.of(backbone, images).json()
    demo = open_dataset("demo").load("val")
    assert demo.version == demo.only([3]).version == DATASETS["demo"].version > 0
    assert json.loads(FeatureKey.of(backbone, demo).json())["version"] == demo.version


def test_key_changes_with_everything_that_changes_features(images):
    backbone = load_backbone(TINY)
    part = open_dataset(f"folder:{images.root}").load("val")
    changed = [
        load_backbone(f"{TINY},seed=1"),
        load_backbone(TINY, pooling="mean"),
        load_backbone(TINY, dtype="bfloat16"),
        load_backbone(TINY.replace("img_size=16", "img_size=24")),
        dataclasses.replace(
            backbone, transform=dataclasses.replace(backbone.transform, interpolation="bilinear")
        ),
        load_backbone(TINY, orientation="exif"),
    ]
    keys = [FeatureKey.of(other, images) for other in [backbone, *changed]]
    keys.append(FeatureKey.of(backbone, part))
    assert len({key.digest for key in keys}) == len(keys)
    assert len({feature_path(key) for key in keys}) == len(keys)


@pytest.mark.parametrize("framing", ["crop", "longest"])
def test_orientation_is_in_key_and_record_only_where_it_is_not_the_default(images, framing):
    """Features and records from before the option keep their keys."""
    options = {"resolution": 16, "framing": framing}
    vit = TINY + ",dynamic_img_size=True"
    for orientation, expected in (("stored", {}), ("exif", {"orientation": "exif"})):
        backbone = load_backbone(vit, orientation=orientation, **options)
        for transform in (
            FeatureKey.of(backbone, images).transform,
            Embedder.of(backbone).transform,
        ):
            assert {k: v for k, v in transform.items() if k == "orientation"} == expected
        assert Embedder.of(backbone).orientation == orientation
