"""Timing of jobs in separate processes, which also measures the memory of each."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

from lowlabel.devices import peak_memory_mb

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """One run of a job: wall time in seconds, peak memory in MiB, and its score."""

    seconds: float
    peak_mb: float
    score: float | None


def timed(job: Callable[[], float | None]) -> Run:
    """Runs a job in this process."""
    started = time.perf_counter()
    score = job()
    return Run(time.perf_counter() - started, peak_memory_mb(), score)


def in_new_process(function: Callable[..., T], *arguments: object) -> T:
    """Calls a function in a new process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def runs_in_turn(
    jobs: Iterable[str], run: Callable[..., Run], data: object, repeats: int
) -> dict[str, list[Run]]:
    """Calls run(job, data) for the jobs in turn (A B C, A B C, …), each in a new process."""
    runs: dict[str, list[Run]] = {job: [] for job in jobs}
    for _ in range(repeats):
        for job in runs:
            runs[job].append(in_new_process(run, job, data))
    return runs


def rows_with_ratio(
    runs: dict[str, list[Run]], limit: str, ratio: str, score: str
) -> list[dict[str, object]]:
    """Rows of a table: median seconds, their ratio to the job `limit`, peak memory, score."""
    limit_seconds = median_seconds_of(runs[limit])
    return [
        {
            "job": job,
            "s": median_seconds_of(job_runs),
            ratio: median_seconds_of(job_runs) / limit_seconds,
            "peak, MiB": round(max(run.peak_mb for run in job_runs)),
            score: job_runs[0].score,
        }
        for job, job_runs in runs.items()
    ]


def median_seconds_of(runs: Sequence[Run]) -> float:
    """Median of the wall times, in seconds."""
    return statistics.median(run.seconds for run in runs)
