"""Classification of frozen embeddings with many labels.

`evaluate_knn` scores a weighted k-nearest-neighbour classifier and returns a `KNNResult`; other
classifiers return a `ClassifierResult`. They take arrays and know nothing of datasets or models.
"""

from lowlabel.classification.held_out import held_out
from lowlabel.classification.knn import DEFAULT_KS, evaluate_knn
from lowlabel.classification.linear import evaluate_linear
from lowlabel.classification.linear_recipe import RECIPES, LinearRecipe
from lowlabel.classification.result import ClassifierResult, KNNResult

__all__ = [
    "DEFAULT_KS",
    "RECIPES",
    "ClassifierResult",
    "KNNResult",
    "LinearRecipe",
    "evaluate_knn",
    "evaluate_linear",
    "held_out",
]
