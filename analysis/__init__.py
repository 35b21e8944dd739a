"""Pictures and tables that show what a model or a training recipe does to images."""

from lowlabel.analysis.base_classes import BaseClassChoices, draw_choices, tabulate_choices
from lowlabel.analysis.patch_matching import PatchedView, draw_matches

__all__ = [
    "BaseClassChoices",
    "PatchedView",
    "draw_choices",
    "draw_matches",
    "tabulate_choices",
]
