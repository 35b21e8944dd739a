"""Fine-tuning on labelled images with metric-learning losses."""

from lowlabel.training.finetuning.frozen import tune_frozen
from lowlabel.training.finetuning.plan import FinetunePlan
from lowlabel.training.finetuning.recipe import FinetuneRecipe, make_finetune_recipe
from lowlabel.training.finetuning.run import finetune, make_finetune_plan

__all__ = [
    "FinetunePlan",
    "FinetuneRecipe",
    "finetune",
    "make_finetune_plan",
    "make_finetune_recipe",
    "tune_frozen",
]
