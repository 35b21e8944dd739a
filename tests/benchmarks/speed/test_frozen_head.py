import pytest
import torch

from lowlabel.benchmarks.speed.frozen_head import usual_loop
from lowlabel.features import load_backbone
from lowlabel.features.models.embedding_head import HeadShape
from lowlabel.training.finetuning import make_finetune_recipe
from lowlabel.training.finetuning.head_tuning import Labelled, tune_head

MODEL = "random:vit_tiny_patch16_224,img_size=16,patch_size=8,depth=1"


@pytest.mark.parametrize("layers", [1, 2])
def test_cached_features_give_the_head_of_the_loop_with_the_backbone(layers):
    base = load_backbone(MODEL, device="cpu")
    labels = torch.arange(4).repeat_interleave(3)
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (12, 16, 16, 3), generator=random, dtype=torch.uint8)
    features = base.embed(pixels).clone()
    recipe = make_finetune_recipe(
        MODEL, "proxy-nca", frozen=True, epochs=2, batch_size=4, images_per_class=2
    )
    shape = HeadShape(layers, 8, True, base.pooling)
    ours = tune_head(Labelled(features, labels), None, recipe, shape).head
    theirs = usual_loop(base, pixels, features, labels, recipe, shape)
    scale = features.square().mean().sqrt()
    with torch.no_grad():
        torch.testing.assert_close(ours(features), theirs(features / scale), rtol=1e-3, atol=1e-4)
