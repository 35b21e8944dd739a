"""Retrieval beside bare products and its peers: `python -m lowlabel.benchmarks.speed.retrieval`.

Leave-one-out over sizes like those of Stanford Online Products' test half. The limit is one full
float32 product of the features with themselves, in blocks and without a look at the result.
"""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
import typer

from lowlabel.benchmarks.speed.retrieval_jobs import BARE, JOBS, NEEDS, WITHOUT_PEERS, Task
from lowlabel.benchmarks.speed.timing import markdown
from lowlabel.devices import describe_device, peak_memory_mb, resolve_device

WARM_UP = 2048  # images


@dataclass(frozen=True)
class Run:
    """What one run in a process of its own took."""

    seconds: float
    peak_mb: float
    recall_at_1: float | None


T = TypeVar("T")


def main(
    images: int = 60_502,
    width: int = 384,
    classes: int = 11_316,
    repeats: int = 3,
    peers: bool = False,
    device: str = "auto",
) -> None:
    """Prints seconds, their ratio to the bare product, and peak memory."""
    task = Task(images, width, classes, device)
    jobs = [job for job in JOBS if peers or job in WITHOUT_PEERS]
    jobs = [job for job in jobs if find_spec(NEEDS.get(job, "torch"))]
    runs: dict[str, list[Run]] = {job: [] for job in jobs}
    importing = _in_a_process_of_its_own(peak_memory_mb)
    for _ in range(repeats):
        for job in jobs:
            runs[job].append(_in_a_process_of_its_own(_run, job, task))
    bare = statistics.median(run.seconds for run in runs[BARE])
    print(markdown([_row(job, runs[job], bare) for job in jobs]))
    print(
        f"\n{images:,} images of {classes:,} classes, {width} dimensions. Medians of {repeats} runs"
    )
    print(f"in turn on {describe_device(resolve_device(device))}, each in a process of its own,")
    print(f"whose peak memory holds the features, {4 * images * width / 2**20:.0f} MiB, and")
    print(f"what importing the libraries takes, {importing:.0f} MiB.")


def _row(job: str, runs: list[Run], bare: float) -> dict[str, object]:
    seconds = statistics.median(run.seconds for run in runs)
    return {
        "job": job,
        "s": seconds,
        "× bare product": seconds / bare,
        "peak, MiB": round(max(run.peak_mb for run in runs)),
        "Recall@1, %": runs[0].recall_at_1,
    }


def _in_a_process_of_its_own(function: Callable[..., T], *arguments: object) -> T:
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def _run(job: str, task: Task) -> Run:
    features, labels = task.data(clustered="clustered" in job)
    evaluate = JOBS[job]
    evaluate(features[:WARM_UP], np.arange(len(labels[:WARM_UP])) // 4, task.device)
    started = time.perf_counter()
    recall = evaluate(features, labels, task.device)
    return Run(time.perf_counter() - started, peak_memory_mb(), recall)


if __name__ == "__main__":
    typer.run(main)
