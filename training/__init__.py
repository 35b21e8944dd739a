"""Self-supervised pretraining: one loop, one schedule, one checkpoint; a file for each method."""

from lowlabel.training.engine.loop import RunOptions, Trainer
from lowlabel.training.methods import PRETRAIN_METHODS, MethodOptions, PretrainMethod
from lowlabel.training.plan import TrainingPlan
from lowlabel.training.recipe import Recipe, make_recipe, preset_names
from lowlabel.training.run import make_plan, pretrain

__all__ = [
    "PRETRAIN_METHODS",
    "MethodOptions",
    "PretrainMethod",
    "Recipe",
    "RunOptions",
    "Trainer",
    "TrainingPlan",
    "make_plan",
    "make_recipe",
    "preset_names",
    "pretrain",
]
