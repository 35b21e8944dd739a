"""Timing of jobs in alternating runs, as medians and ratios."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from tabulate import tabulate


def median_seconds(jobs: Mapping[str, Callable[[], object]], repeats: int = 5) -> dict[str, float]:
    """Runs the jobs in turn (A B C, A B C, …) after one warm-up run each.

    If the speed of the machine drifts, it affects all jobs equally: their ratios can be trusted
    even if their seconds cannot.

    Returns:
        The median wall time of each job, in seconds.
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
