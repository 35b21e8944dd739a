"""`make_plan` and `pretrain`: from a dataset's name and a recipe to an exported backbone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from lowlabel.datasets.class_list import read_class_list
from lowlabel.devices import keep_freed_memory
from lowlabel.errors import DataError
from lowlabel.progress import progress_bar
from lowlabel.training.engine.distributed import World, join_world, will_be_main
from lowlabel.training.engine.loop import Trainer
from lowlabel.training.engine.options import RunOptions
from lowlabel.training.listing import list_pretrain_data
from lowlabel.training.methods.dino_format import require_dino, write_dino_checkpoint
from lowlabel.training.plan import TrainingPlan
from lowlabel.training.recipe import Recipe

DINO_NAME = "dino_checkpoint.pth"


def make_plan(
    dataset: str,
    recipe: Recipe,
    class_list: Path | None = None,
    start: Path | None = None,
    *,
    allow_partial: bool = False,
) -> TrainingPlan:
    """Lists the images and makes the plan of a run.

    Args:
        dataset: NAME, NAME:DIVISION, folder:PATH or the path of a folder.
        recipe: The value of `make_recipe`.
        class_list: File with one class folder per line; only images under these are used.
        start: Checkpoint in DINO's format to start from.
        allow_partial: Allow incomplete datasets.

    Raises:
        DataError: If `start` does not exist, or there are no images.
    """
    if start is not None and not start.is_file():
        raise DataError(f"there is no checkpoint {start}")
    data = list_pretrain_data(dataset, class_list, allow_partial=allow_partial)
    classes = tuple(read_class_list(class_list)) if class_list else ()
    return TrainingPlan(recipe, data, classes, start)


def pretrain(plan: TrainingPlan, options: RunOptions, device: str = "auto") -> Path:
    """Trains, or resumes training, and exports the teacher's backbone.

    Under torchrun, all processes share each batch.

    Returns:
        The path of `backbone.safetensors`, which `--model` loads.

    Raises:
        InputError: If the options do not suit the plan, or the folder holds another run.
        TrainingError: If training diverges or collapses.
    """
    keep_freed_memory()
    if will_be_main():
        _ = plan.data.images.manifest  # hashed before the other processes wait for this one
    with _flushed_denormals(), join_world(device) as world:
        trainer = Trainer(plan, options, world)
        dino = require_dino(trainer.train_step.method) if options.dino_format else None
        weights = _train(trainer, world)
        if dino is not None and world.is_main:
            write_dino_checkpoint(
                options.output / DINO_NAME,
                dino,
                trainer.train_step.optimizer.state_dict(),
                plan.recipe.epochs,
                plan.recipe.as_dict(),
            )
    return weights


def _train(trainer: Trainer, world: World) -> Path:
    """Trains, with a progress bar in the main process."""
    if not world.is_main:
        return trainer.train()
    plan = trainer.plan
    with progress_bar(f"{plan.recipe.method} on {plan.data.images.dataset}", "img") as progress:
        return trainer.train(progress)


@contextmanager
def _flushed_denormals() -> Iterator[None]:
    """Flushes denormals, which slow a CPU down and are frequent in a cold teacher's output."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
