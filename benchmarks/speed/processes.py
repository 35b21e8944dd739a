"""Jobs timed in processes of their own, which tells the memory that each takes."""

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
    """What one run took, and the score that it came to."""

    seconds: float
    peak_mb: float
    score: float | None


def timed(job: Callable[[], float | None]) -> Run:
    """Runs a job here."""
    started = time.perf_counter()
    score = job()
    return Run(time.perf_counter() - started, peak_memory_mb(), score)


def in_a_process_of_its_own(function: Callable[..., T], *arguments: object) -> T:
    """Calls a function in a new process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def runs_in_turn(
    jobs: Iterable[str], run: Callable[..., Run], task: object, repeats: int
) -> dict[str, list[Run]]:
    """Calls run(job, task) for jobs in turn (A B C, A B C, …), each in a process of its own."""
    runs: dict[str, list[Run]] = {job: [] for job in jobs}
    for _ in range(repeats):
        for job in runs:
            runs[job].append(in_a_process_of_its_own(run, job, task))
    return runs


def beside_limit(
    runs: dict[str, list[Run]], limit: str, ratio: str, score: str
) -> list[dict[str, object]]:
    """Rows of a table: median seconds, their ratio to the job `limit`, peak memory, score."""
    fastest = _median(runs[limit])
    return [
        {
            "job": job,
            "s": _median(its),
            ratio: _median(its) / fastest,
            "peak, MiB": round(max(run.peak_mb for run in its)),
            score: its[0].score,
        }
        for job, its in runs.items()
    ]


def _median(runs: Sequence[Run]) -> float:
    return statistics.median(run.seconds for run in runs)
