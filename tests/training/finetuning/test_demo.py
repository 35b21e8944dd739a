"""A tuned demo model against the frozen one, on demo classes that neither has seen."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lowlabel.datasets import open_dataset
from lowlabel.features import load_backbone
from lowlabel.retrieval import evaluate_retrieval
from lowlabel.training import RunOptions
from lowlabel.training.finetuning import finetune, make_finetune_plan, make_finetune_recipe

SETTINGS = ("lr=1e-3", "global_scale=(0.4,1.0)", "head_layers=0", "freeze_blocks=2")
LOSSES = {"margin": "loss_lr=1e-2", "proxy-nca": "loss_lr=0.1", "multi-similarity": "loss_lr=0"}


@pytest.mark.slow
def test_each_loss_beats_the_frozen_model_on_unseen_classes(tmp_path):
    """The mean difference of MAP@R over the same queries exceeds its 95 % interval."""
    unseen = open_dataset("demo").load("novel")
    frozen = load_backbone("demo_vit", device="cpu")
    pixels = [frozen.transform.read(unseen.root / path) for path in unseen.paths]
    batches = torch.from_numpy(np.stack(pixels)).split(100)

    def per_query(model):
        embeddings = torch.cat([model.embed(batch) for batch in batches])
        scores = evaluate_retrieval(embeddings, unseen.labels, ks=(1,), device="cpu")
        return scores.per_query["map@r"]

    before = per_query(frozen)
    for loss, rate in LOSSES.items():
        recipe = make_finetune_recipe(
            *("demo_vit", loss, None, (*SETTINGS, rate)),
            **{"epochs": 1, "batch_size": 56, "images_per_class": 4, "validation": 0.0},
        )
        plan = make_finetune_plan("demo", recipe)
        few = plan.images.only(range(0, len(plan.images), 2))
        plan = replace(plan, split=replace(plan.split, learned=few))
        assert not set(few.class_names) & set(unseen.class_names)
        path = finetune(plan, RunOptions(tmp_path / loss, 0), "cpu")
        gains = per_query(load_backbone(str(path), device="cpu")) - before
        assert gains.mean() > 1.96 * gains.std(ddof=1) / len(gains) ** 0.5, loss
