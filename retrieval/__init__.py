"""Zero-shot retrieval: whether an image's nearest others show the same class, place or picture.

Takes feature and label arrays and gives scores; it knows nothing of data sets or networks.
"""

from lowlabel.retrieval.copies import evaluate_copies
from lowlabel.retrieval.evaluate import evaluate_retrieval
from lowlabel.retrieval.result import RetrievalResult
from lowlabel.retrieval.revisited import evaluate_revisited
from lowlabel.retrieval.top import top_images
from lowlabel.retrieval.whitening import learn_whitening

__all__ = [
    "RetrievalResult",
    "evaluate_copies",
    "evaluate_retrieval",
    "evaluate_revisited",
    "learn_whitening",
    "top_images",
]
