"""One step of every training method."""

import pytest
import torch

from lowlabel.processes.world import World
from lowlabel.training import RunOptions, Trainer, make_plan

ARCHS = {"scfs": {"arch": "resnet18"}}


def losses(plan, folder, device):
    trainer = Trainer(plan, RunOptions(folder, 0), World(0, 1, torch.device(device)))
    batches = trainer.batches()
    return [trainer.train_step(step, next(batches))["loss"] for step in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["dino", "pw-self", "scfs"])
def test_pretraining(stripes, tiny_recipe, tmp_path, gpu, method):
    """Views are drawn on the device, by its own random numbers."""
    plan = make_plan(f"folder:{stripes}", tiny_recipe(method=method, **ARCHS.get(method, {})))
    on_cpu = losses(plan, tmp_path / "cpu", "cpu")
    assert losses(plan, tmp_path / "gpu", gpu) == pytest.approx(on_cpu, rel=0.5)
