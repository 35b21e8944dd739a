"""Zero-shot retrieval: do the nearest images show the same class, landmark or picture?

Takes feature and label arrays and returns scores; it knows nothing of datasets or networks.
"""

from lowlabel.retrieval.copies import evaluate_copies
from lowlabel.retrieval.evaluate import evaluate_retrieval
from lowlabel.retrieval.lists.class_level import evaluate_ranking
from lowlabel.retrieval.lists.instances import (
    evaluate_copies_ranking,
    evaluate_revisited_ranking,
)
from lowlabel.retrieval.result import RetrievalResult
from lowlabel.retrieval.revisited import evaluate_revisited
from lowlabel.retrieval.several_labels import evaluate_several_labels
from lowlabel.retrieval.top import top_images
from lowlabel.retrieval.transform import learn_transform
from lowlabel.retrieval.whitening import learn_whitening

__all__ = [
    "RetrievalResult",
    "evaluate_copies",
    "evaluate_copies_ranking",
    "evaluate_ranking",
    "evaluate_retrieval",
    "evaluate_revisited",
    "evaluate_revisited_ranking",
    "evaluate_several_labels",
    "learn_transform",
    "learn_whitening",
    "top_images",
]
