"""Classifiers of images that have several labels each, scored by mAP over the labels.

Each label is a class of its own that an image has or has not; `average_precision` says how the
images are ranked for one. `evaluate_knn_several_labels`, `evaluate_linear_several_labels` and
`evaluate_logistic_several_labels` return a `SeveralLabelsResult`.
"""

from lowlabel.classification.several_labels.average_precision import average_precision
from lowlabel.classification.several_labels.knn import evaluate_knn_several_labels
from lowlabel.classification.several_labels.linear import evaluate_linear_several_labels
from lowlabel.classification.several_labels.logistic_regression import (
    evaluate_logistic_several_labels,
)
from lowlabel.classification.several_labels.result import SeveralLabelsResult

__all__ = [
    "SeveralLabelsResult",
    "average_precision",
    "evaluate_knn_several_labels",
    "evaluate_linear_several_labels",
    "evaluate_logistic_several_labels",
]
