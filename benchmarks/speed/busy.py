"""Small work alone and beside busy processes: `python -m lowlabel.benchmarks.speed.busy`.

The demo, from drawing its images to the leaderboard, and logistic regression on 5-way 5-shot tasks.
Each run is a new process, alone or while other processes compute in an endless loop.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer

from lowlabel.benchmarks.speed.processes import Run, runs_in_turn, timed
from lowlabel.benchmarks.speed.timing import markdown
from lowlabel.fewshot import evaluate_fewshot

ALONE, BESIDE = "alone", "beside"
# Ends with the process that started it, however that one ends.
SPIN = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    sum(range(10**6))"


@dataclass(frozen=True)
class Demo:
    """`lowlabel run` of the demo with further arguments, in a new home."""

    name = "demo"
    arguments: tuple[str, ...]

    def __call__(self) -> None:
        """Runs the command."""
        with tempfile.TemporaryDirectory() as home:
            options = ["--suite", "demo", "--output", str(Path(home) / "results"), *self.arguments]
            subprocess.run(
                [sys.executable, "-m", "lowlabel", "run", *options],
                env=os.environ | {"LOWLABEL_HOME": home},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
            )


@dataclass(frozen=True)
class LogisticRegression:
    """`evaluate_fewshot` with random 384-dimensional features of 20 classes."""

    name = "logreg"
    tasks: int

    def __call__(self) -> None:
        """Runs it in this process."""
        random = np.random.default_rng(0)
        features = random.standard_normal((12_000, 384), dtype=np.float32)
        labels = np.arange(20).repeat(600)
        evaluate_fewshot(
            features,
            labels,
            method="logreg",
            shots=5,
            tasks=self.tasks,
            interval="tasks",
            device="cpu",
        )


Work = Demo | LogisticRegression


def main(tasks: int = 1000, demo: str = "", processes: int = 2, repeats: int = 3) -> None:
    """Prints seconds alone and beside busy processes, their ratio, and CPU seconds of both.

    Args:
        tasks: Number of tasks of the logistic regression.
        demo: Further arguments of `lowlabel run` for the demo.
        processes: Number of busy processes.
        repeats: Number of runs of each, in turn.
    """
    works: list[Work] = [Demo(tuple(demo.split())), LogisticRegression(tasks)]
    print(markdown([_row(work, processes, repeats) for work in works]))
    print(f"\nMedians of {repeats} runs in turn on {os.cpu_count()} cores, each in a new process,")
    print(f"alone and beside {processes} processes that compute in an endless loop. The time of")
    print("the demo includes importing libraries.")


def _row(work: Work, processes: int, repeats: int) -> dict[str, object]:
    runs = runs_in_turn((ALONE, BESIDE), _run, (work, processes), repeats)
    seconds = {job: statistics.median(run.seconds for run in runs[job]) for job in runs}
    cpu = {job: statistics.median(run.score or 0.0 for run in runs[job]) for job in runs}
    return {
        "work": work.name,
        "alone, s": seconds[ALONE],
        "beside, s": seconds[BESIDE],
        "× alone": seconds[BESIDE] / seconds[ALONE],
        "alone, CPU s": cpu[ALONE],
        "beside, CPU s": cpu[BESIDE],
    }


def _run(job: str, data: tuple[Work, int]) -> Run:
    work, processes = data

    def cpu_seconds() -> float:
        before = _cpu_seconds()
        work()
        return _cpu_seconds() - before

    with busy(0 if job == ALONE else processes):
        return timed(cpu_seconds)


def _cpu_seconds() -> float:
    """CPU time of this process and, but on Windows, of those that it started and that ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keeps other processes computing in an endless loop."""
    with ExitStack() as stack:
        for _ in range(processes):
            command = [sys.executable, "-c", SPIN, str(os.getpid())]
            process = stack.enter_context(subprocess.Popen(command))
            stack.callback(process.kill)
        yield


if __name__ == "__main__":
    typer.run(main)
