"""Runs a plan, alone or with the other processes of torchrun."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from lowlabel.devices import keep_freed_memory
from lowlabel.processes.torchrun import will_be_main
from lowlabel.processes.world import join_world
from lowlabel.progress import progress_bar
from lowlabel.training.engine.loop import Trainer
from lowlabel.training.engine.options import RunOptions
from lowlabel.training.engine.run_plan import RunPlan


@contextmanager
def joined_trainer(plan: RunPlan, options: RunOptions, device: str) -> Iterator[Trainer]:
    """The trainer of this process; under torchrun, all processes share each batch."""
    keep_freed_memory()
    if will_be_main():
        _ = plan.images.manifest  # hashed before the other processes wait for this one
    with _flushed_denormals(), join_world(device) as world:
        yield Trainer(plan, options, world)


def train_shown(trainer: Trainer) -> Path:
    """Trains, with a progress bar in the main process; see `Trainer.train`."""
    if not trainer.world.is_main:
        return trainer.train()
    with progress_bar(trainer.plan.title, "img") as progress:
        return trainer.train(progress)


@contextmanager
def _flushed_denormals() -> Iterator[None]:
    """Flushes denormals, which slow a CPU down and are frequent in a cold teacher's output."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
