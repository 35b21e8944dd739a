"""Pictures and tables that show what models and training see in images."""

from lowlabel.analysis.base_classes import BaseClassChoices, draw_choices, tabulate_choices
from lowlabel.analysis.outliers import NearestOthers, Outliers, find_outliers, nearest_others
from lowlabel.analysis.patch_matching import PatchedView, draw_matches
from lowlabel.analysis.retrieval_gallery import Tile, draw_gallery
from lowlabel.analysis.retrieved import Collection, retrieved, worst_queries
from lowlabel.analysis.training_curves import draw_training, training_curves

__all__ = [
    "BaseClassChoices",
    "Collection",
    "NearestOthers",
    "Outliers",
    "PatchedView",
    "Tile",
    "draw_choices",
    "draw_gallery",
    "draw_matches",
    "draw_training",
    "find_outliers",
    "nearest_others",
    "retrieved",
    "tabulate_choices",
    "training_curves",
    "worst_queries",
]
