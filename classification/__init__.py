"""Classification of frozen embeddings with many labels, or with few labels per class.

`evaluate_knn` scores a weighted k-nearest-neighbour classifier and returns a `KNNResult`; other
classifiers return a `ClassifierResult`. `evaluate_label_budget` scores several classifiers by the
number of labels per class. `label_free_measures` measures embeddings without a classifier.
`predict_labels` labels images that have no label. Images with several labels each have functions of
their own, such as `evaluate_knn_several_labels`. They take arrays and know nothing of datasets or
models.
"""

from lowlabel.classification.budget import (
    BudgetResult,
    LabelBudgetResult,
    evaluate_label_budget,
)
from lowlabel.classification.held_out import held_out
from lowlabel.classification.knn import DEFAULT_KS, evaluate_knn
from lowlabel.classification.label_free import LabelFreeResult, label_free_measures
from lowlabel.classification.linear import evaluate_linear
from lowlabel.classification.logistic.evaluate import DEFAULT_CS
from lowlabel.classification.logistic_regression import evaluate_logistic_regression
from lowlabel.classification.predict import (
    MethodChoice,
    Predictions,
    choose_method,
    predict_labels,
)
from lowlabel.classification.probe.recipe import RECIPES, LinearRecipe
from lowlabel.classification.result import ClassifierResult, KNNResult
from lowlabel.classification.several_labels import (
    SeveralLabelsResult,
    average_precision,
    evaluate_knn_several_labels,
    evaluate_linear_several_labels,
    evaluate_logistic_several_labels,
)

__all__ = [
    "DEFAULT_CS",
    "DEFAULT_KS",
    "RECIPES",
    "BudgetResult",
    "ClassifierResult",
    "KNNResult",
    "LabelBudgetResult",
    "LabelFreeResult",
    "LinearRecipe",
    "MethodChoice",
    "Predictions",
    "SeveralLabelsResult",
    "average_precision",
    "choose_method",
    "evaluate_knn",
    "evaluate_knn_several_labels",
    "evaluate_label_budget",
    "evaluate_linear",
    "evaluate_linear_several_labels",
    "evaluate_logistic_regression",
    "evaluate_logistic_several_labels",
    "held_out",
    "label_free_measures",
    "predict_labels",
]
