"""Classification of frozen embeddings with many labels.

`evaluate_knn` scores a weighted k-nearest-neighbour classifier and returns a `KNNResult`. It takes
arrays and knows nothing of datasets or models.
"""

from lowlabel.classification.knn import DEFAULT_KS, evaluate_knn
from lowlabel.classification.result import KNNResult

__all__ = ["DEFAULT_KS", "KNNResult", "evaluate_knn"]
