import pytest
import torch

from lowlabel.processes.world import World
from lowlabel.training import RunOptions, Trainer


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["margin", "proxy-nca", "multi-similarity", "proxy-anchor"])
def test_a_step(make_plan, tmp_path, gpu, loss):
    found = []
    for device in ("cpu", gpu):
        world = World(0, 1, torch.device(device))
        trainer = Trainer(make_plan(loss=loss), RunOptions(tmp_path / device[:3], 0), world)
        found.append(trainer.train_step(0, next(trainer.batches()))["loss"])
    assert found[1] == pytest.approx(found[0], rel=0.01)  # images are resized on the device
