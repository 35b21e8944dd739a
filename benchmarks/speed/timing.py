"""Fair timing of jobs beside each other: in turn, several times, medians and ratios."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from tabulate import tabulate


def median_seconds(jobs: Mapping[str, Callable[[], object]], repeats: int = 5) -> dict[str, float]:
    """Runs jobs in turn (A B C, A B C, …) after one warm-up each.

    A machine whose speed drifts slows all of them alike, so their ratios can be trusted where
    their seconds cannot.

    Returns:
        The median wall time of each job.
    """
    for job in jobs.values():
        job()
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """A Markdown table."""
    return tabulate(rows, headers="keys", tablefmt="github", floatfmt=".3g")
