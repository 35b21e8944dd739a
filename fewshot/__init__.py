"""Few-shot classification of frozen embeddings.

`evaluate_fewshot` scores a method on random tasks and returns a `FewShotResult`. `METHODS` lists
the methods, `build_method` builds one from a spec such as "ncm,norm=cl2n", and
`chosen_base_classes` tells which base classes Distribution Calibration borrows from. All take
arrays and know nothing of images, models or datasets.
"""

from lowlabel.fewshot.base_choices import chosen_base_classes
from lowlabel.fewshot.episodes import QUERY_DISTRIBUTIONS, check_query_distribution
from lowlabel.fewshot.evaluate import evaluate_fewshot
from lowlabel.fewshot.methods import METHODS, Method, build_method
from lowlabel.fewshot.more_tasks import half_tasks
from lowlabel.fewshot.result import FewShotResult
from lowlabel.fewshot.uncertainty import confidence_interval, interval_kind

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
    "half_tasks",
    "interval_kind",
]
