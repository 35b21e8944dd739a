"""Self-supervised pretraining: engine/ (the loop), views/ (augmentation), methods/ (DINO, …)."""

from lowlabel.training.engine.loop import Trainer
from lowlabel.training.engine.options import RunOptions
from lowlabel.training.methods import PRETRAIN_METHODS, MethodOptions, PretrainMethod
from lowlabel.training.plan import TrainingPlan
from lowlabel.training.presets import preset_facts, preset_names
from lowlabel.training.recipe import Recipe, make_recipe
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
    "preset_facts",
    "preset_names",
    "pretrain",
]
