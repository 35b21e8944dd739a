"""`make_finetune_plan` and `finetune`: from names and a recipe to an exported model."""

from pathlib import Path

from lowlabel.datasets import OpenDataset, find_dataset, open_dataset
from lowlabel.errors import InputError
from lowlabel.features import Backbone, check_model, load_backbone
from lowlabel.features.models.base_card import check_tunable
from lowlabel.training.engine.options import RunOptions
from lowlabel.training.engine.run import joined_trainer, train_shown
from lowlabel.training.finetuning.losses import check_loss
from lowlabel.training.finetuning.model import check_head_memory
from lowlabel.training.finetuning.plan import FinetunePlan
from lowlabel.training.finetuning.recipe import FinetuneRecipe
from lowlabel.training.finetuning.validation import split_classes

_DIVISION = "dml-zeroshot"  # the one that retrieval's tables use


def make_finetune_plan(
    dataset: str, recipe: FinetuneRecipe, *, allow_partial: bool = False
) -> FinetunePlan:
    """Loads the base model, lists the images and divides their classes.

    Args:
        dataset: NAME, NAME:DIVISION or folder:PATH. Without a division, that of zero-shot
            retrieval is taken if there is one. Only its train part is used.
        recipe: The value of `make_finetune_recipe`.
        allow_partial: Allow incomplete datasets.

    Raises:
        UnknownNameError: If there is no such loss, model or dataset.
        InputError: If the dataset has no train part or too few classes, the model cannot be tuned,
            or the options do not fit.
    """
    check_loss(recipe.loss)
    check_model(recipe.model)
    opened = _open(dataset, allow_partial)
    part = opened.division.train_part
    if part is None:
        raise InputError(
            f"{opened.name} has no part to tune on: all of its images are evaluated",
            "Give --dataset NAME:DIVISION with a train part, or a folder with train and test.",
        )
    if opened.division.kind != "classes":
        raise InputError(
            f"images of {opened.name} have several labels, and tuning takes classes",
            "Name one label for each image in a column label.",
        )
    opened.check_classes(part)
    images = opened.load(part)
    if images.boxes:
        raise InputError(
            f"{opened.name} crops images to boxes, and tuning takes whole images",
            f"Give --dataset {opened.dataset.name}:{_DIVISION}.",
        )
    split = split_classes(images, recipe.options.validation, recipe.seed)
    base = _load(recipe)
    recipe = recipe.for_base(base.transform.side, base.pooling)
    plan = FinetunePlan(recipe, base, split, images, opened.left_out(part))
    plan.order()  # refuses batches that the classes cannot fill
    check_head_memory(base, recipe.options, len(split.learned.class_names))
    return plan


def finetune(plan: FinetunePlan, options: RunOptions, device: str = "auto") -> Path:
    """Tunes, or resumes tuning, and exports the model of the best epoch.

    Under torchrun, all processes share each batch.

    Returns:
        The path of `backbone.safetensors`, which `--model` loads.

    Raises:
        InputError: If the options do not suit the plan, or the folder holds another run.
        TrainingError: If training diverges.
    """
    with joined_trainer(plan, options, device) as trainer:
        return train_shown(trainer)


def _open(dataset: str, allow_partial: bool) -> OpenDataset:
    found, division = find_dataset(dataset)
    names = [each.name for each in found.divisions]
    if not division and _DIVISION in names:
        return open_dataset(dataset, found.division(_DIVISION), allow_partial=allow_partial)
    return open_dataset(dataset, allow_partial=allow_partial)


def _load(recipe: FinetuneRecipe) -> Backbone:
    base = load_backbone(
        recipe.model,
        pooling=recipe.pooling or None,
        resolution=recipe.resolution or None,
        resize=recipe.resize_before or None,
        interpolation=recipe.resample or None,
        device="cpu",
    )
    check_tunable(base)
    height, width = base.transform.blank
    if height != width:
        raise InputError(
            f"{base.name} takes images of {height}×{width} pixels, and training views are square",
            "Choose a --resolution.",
        )
    return base
