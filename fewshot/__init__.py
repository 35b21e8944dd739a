"""Few-shot classification of frozen embeddings: tasks, methods, accuracies.

`evaluate_fewshot` takes arrays and knows nothing of images, models or datasets, so the protocol
can be used on anyone's embeddings.
"""

from lowlabel.fewshot.base_choices import chosen_base_classes
from lowlabel.fewshot.episodes import QUERY_DISTRIBUTIONS, check_query_distribution
from lowlabel.fewshot.evaluate import evaluate_fewshot
from lowlabel.fewshot.methods import METHODS, Method, build_method
from lowlabel.fewshot.result import FewShotResult, confidence_interval

__all__ = [
    "METHODS",
    "QUERY_DISTRIBUTIONS",
    "FewShotResult",
    "Method",
    "build_method",
    "check_query_distribution",
    "chosen_base_classes",
    "confidence_interval",
    "evaluate_fewshot",
]
