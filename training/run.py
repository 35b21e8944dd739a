"""`make_plan` and `pretrain`: from a dataset's name and a recipe to an exported backbone."""

from pathlib import Path

from lowlabel.datasets.class_list import read_class_list
from lowlabel.errors import DataError
from lowlabel.training.engine.options import RunOptions
from lowlabel.training.engine.run import joined_trainer, train_shown
from lowlabel.training.listing import list_pretrain_data
from lowlabel.training.methods.dino_format import require_dino, write_dino_checkpoint
from lowlabel.training.methods.step import PretrainStep
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
    with joined_trainer(plan, options, device) as trainer:
        step = trainer.train_step
        assert isinstance(step, PretrainStep)
        dino = require_dino(step.method) if options.dino_format else None
        weights = train_shown(trainer)
        if dino is not None and trainer.world.is_main:
            write_dino_checkpoint(
                options.output / DINO_NAME,
                dino,
                step.optimizer.state_dict(),
                plan.recipe.epochs,
                plan.recipe.as_dict(),
            )
    return weights
