"""Zero-shot retrieval: how often an image's nearest others are of its own class.

Takes feature and label arrays and gives scores; it knows nothing of data sets or networks.
"""

from lowlabel.retrieval.evaluate import evaluate_retrieval
from lowlabel.retrieval.result import RetrievalResult
from lowlabel.retrieval.top import top_images

__all__ = ["RetrievalResult", "evaluate_retrieval", "top_images"]
