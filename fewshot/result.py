"""Result of a few-shot evaluation, and the confidence intervals that papers report."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lowlabel.errors import UnknownNameError

CI_DEFINITIONS = {
    "normal": "1.96·σ/√n over tasks, σ with ddof=1",
    "student-t": "t(0.975, n-1)·σ/√n over tasks, σ with ddof=1",
}


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
        query_distribution: "balanced" or "dirichlet".
        interval: Definition of `ci95`; see `confidence_interval`.
    """

    accuracies: NDArray[np.float64]
    method: str
    transductive: bool
    ways: int
    shots: int
    queries: int
    seed: int
    task_hash: str
    query_distribution: str = "balanced"
    interval: str = "normal"

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
        """Half-width of the 95 % confidence interval of the mean, in percentage points."""
        return confidence_interval(self.accuracies, self.interval)

    @property
    def ci95_definition(self) -> str:
        """The formula of `ci95`."""
        return CI_DEFINITIONS[self.interval]


def confidence_interval(accuracies: NDArray[np.float64], definition: str = "normal") -> float:
    """Half-width of the 95 % confidence interval of a mean, in the unit of `accuracies`.

    Args:
        accuracies: One value per task, [tasks].
        definition: "normal" is 1.96·σ/√n, as few-shot papers report; "student-t" replaces 1.96 by
            the quantile of Student's t with n-1 degrees of freedom. σ has ddof=1.

    Returns:
        The half-width; NaN for a single task.

    Raises:
        UnknownNameError: If there is no such definition.
    """
    require_interval(definition)
    n = len(accuracies)
    if n < 2:
        return math.nan
    quantile = 1.96 if definition == "normal" else float(stats.t.ppf(0.975, n - 1))
    return quantile * float(np.std(accuracies, ddof=1)) / math.sqrt(n)


def require_interval(definition: str) -> None:
    """Raises an `UnknownNameError` if there is no such confidence interval."""
    if definition not in CI_DEFINITIONS:
        raise UnknownNameError("confidence interval", definition, CI_DEFINITIONS)
