"""Result of a few-shot evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowlabel.fewshot.uncertainty import interval_kind
from lowlabel.intervals import Interval


@dataclass(frozen=True, eq=False)
class FewShotResult:
    """Accuracies of one method on a sequence of tasks, with the options that reproduce them.

    Attributes:
        accuracies: Accuracy of each task, in percent, float64 [tasks].
        method: Spec of the method, as `build_method` reads it.
        transductive: Whether the method classifies the queries of a task together.
        ways: Classes per task.
        shots: Labelled images per class.
        queries: Images per class to classify, on average.
        seed: Random seed of the tasks.
        task_hash: SHA-256 of the drawn row numbers. Results with equal hashes were scored on
            identical tasks, so their accuracies can be compared in pairs.
        intervals: Every 95 % confidence interval of the mean that was computed, by kind: "tasks"
            and "classes", and the chosen one.
        query_distribution: "balanced" or "dirichlet".
        interval: The chosen one, which `ci95` is; see `evaluate_fewshot`.
    """

    accuracies: NDArray[np.float64]
    method: str
    transductive: bool
    ways: int
    shots: int
    queries: int
    seed: int
    task_hash: str
    intervals: Mapping[str, Interval]
    query_distribution: str = "balanced"
    interval: str = "images"

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        return len(self.accuracies)

    @property
    def mean(self) -> float:
        """Mean accuracy over the tasks, in percent."""
        return float(self.accuracies.mean())

    @property
    def ci95(self) -> float:
        """Half-width of the chosen interval in percentage points; NaN where it has none."""
        return self._shown.half_width

    @property
    def ci95_definition(self) -> str:
        """The formula of `ci95`, or why it is NaN."""
        return self._shown.definition

    @property
    def _shown(self) -> Interval:
        return self.intervals[interval_kind(self.interval)]
