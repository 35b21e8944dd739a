"""Networks trained from scratch on labelled images alone, to set frozen models against."""

from lowlabel.training.from_labels.recipe import LabelRecipe, parse_label_recipe
from lowlabel.training.from_labels.trainer import LabelTrainer, make_label_trainer

__all__ = ["LabelRecipe", "LabelTrainer", "make_label_trainer", "parse_label_recipe"]
