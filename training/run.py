"""`pretrain`: from a dataset's name and a recipe to an exported backbone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from lowlabel.devices import keep_freed_memory
from lowlabel.errors import DataError
from lowlabel.progress import progress_bar
from lowlabel.training.engine.distributed import join_world
from lowlabel.training.engine.loop import RunOptions, Trainer
from lowlabel.training.listing import list_pretrain_data, read_class_list
from lowlabel.training.plan import TrainingPlan
from lowlabel.training.recipe import Recipe


def make_plan(
    dataset: str,
    recipe: Recipe,
    class_list: Path | None = None,
    start: Path | None = None,
    *,
    allow_partial: bool = False,
) -> TrainingPlan:
    """Lists the images and joins them with the recipe.

    Args:
        dataset: NAME, NAME:DIVISION, folder:PATH or the path of a folder.
        recipe: What `make_recipe` gives.
        class_list: File with one class folder a line.
        start: Checkpoint of DINO's own code to begin with.
        allow_partial: Accept other counts than the full set's.
    """
    if start is not None and not start.is_file():
        raise DataError(f"there is no checkpoint {start}")
    data = list_pretrain_data(dataset, class_list, allow_partial=allow_partial)
    classes = tuple(read_class_list(class_list)) if class_list else ()
    return TrainingPlan(recipe, data, classes, start)


def pretrain(plan: TrainingPlan, options: RunOptions, device: str = "auto") -> Path:
    """Trains, or goes on training, and exports the teacher's backbone.

    Under torchrun all its processes share each batch.

    Returns:
        The path of `backbone.safetensors`, which `--model` takes.
    """
    keep_freed_memory()
    with _flushed_denormals(), join_world(device) as world:
        trainer = Trainer(plan, options, world)
        if not world.is_main:
            return trainer.train()
        with progress_bar(f"{plan.recipe.method} on {plan.data.images.dataset}", "img") as progress:
            return trainer.train(progress)


@contextmanager
def _flushed_denormals() -> Iterator[None]:
    """A cold teacher's probabilities are full of denormal numbers, which slow a CPU down."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
