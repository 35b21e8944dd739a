"""Classification of frozen embeddings with many labels: weighted k-nearest neighbours.

Takes feature and label arrays and gives scores; it knows nothing of data sets or networks.
"""

from lowlabel.classification.knn import DEFAULT_KS, evaluate_knn
from lowlabel.classification.result import KNNResult

__all__ = ["DEFAULT_KS", "KNNResult", "evaluate_knn"]
