"""Peak memory of scoring large tables: `python -m lowlabel.benchmarks.speed.memory`.

Synthetic features of ImageNet-1k's size are written to a temporary folder. Each job reads them into
a new process, as a `.npz` of `--features` is read, and reports the process's peak resident size,
table and libraries included. Trainings are cut to a few steps, which changes no peak.

With `--mapped`, features are mapped from the disk as large tables of the store are, and the peak is
that of memory that no file backs (`RssAnon` of Linux, every 20 ms): the system drops mapped pages
where it needs the space.

With `--halves`, functions are given arrays of float16, which they widen to float32.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import numpy as np
import typer
from numpy.lib.format import open_memmap

from lowlabel.benchmarks.speed.processes import in_new_process
from lowlabel.benchmarks.speed.timing import markdown
from lowlabel.classification import (
    DEFAULT_KS,
    RECIPES,
    evaluate_knn,
    evaluate_label_budget,
    evaluate_linear,
    evaluate_logistic_regression,
    label_free_measures,
)
from lowlabel.devices import keep_freed_memory, peak_memory_mb
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.retrieval import evaluate_retrieval

_BLOCK = 8192
_GB = 1e9
_SAMPLE_S = 0.02


@dataclass(frozen=True)
class Sizes:
    """Numbers of images, dimensions and classes, of k-NN's voters, of queries, and of steps."""

    train: int
    test: int
    width: int
    classes: int
    voters: int
    queries: int
    steps: int


class Tables:
    """The features and labels of a folder, in memory or mapped."""

    def __init__(self, folder: Path, sizes: Sizes, mapped: bool) -> None:
        self.sizes = sizes
        mode: Literal["c"] | None = "c" if mapped else None
        train, test = (np.load(folder / f"{part}.npy", mode) for part in ("train", "test"))
        labels = (np.arange(len(each)) % sizes.classes for each in (train, test))
        self.arrays = tuple(
            each for pair in zip((train, test), labels, strict=True) for each in pair
        )

    def knn(self) -> None:
        """All numbers of neighbours and all metrics; some rows vote, which are gathered."""
        step = max(1, self.sizes.train // self.sizes.voters)
        rows = np.arange(0, self.sizes.train, step)
        evaluate_knn(*self.arrays, rows=rows, k=DEFAULT_KS, clip_k=True, all_metrics=True)

    def linear(self, recipe: str) -> None:
        """A few batches of a recipe."""
        cut = replace(RECIPES[recipe], iterations=self.sizes.steps)
        evaluate_linear(*self.arrays, recipe=cut)

    def logistic(self) -> None:
        """Newton steps of two values of C, one held-out tenth, and the fit to all of train."""
        evaluate_logistic_regression(*self.arrays, c=(1e-6, 1e-5), max_iter=1)

    def budget(self, method: str) -> None:
        """A label budget of all labels."""
        evaluate_label_budget(*self.arrays, budgets="100%", methods=method, draws=1)

    def retrieval(self) -> None:
        """Some test images searched among the train images."""
        train, labels, test, test_labels = self.arrays
        some = slice(self.sizes.queries)
        evaluate_retrieval(test[some], test_labels[some], gallery=(train, labels), ks=(1, 10))

    def fewshot(self) -> None:
        """A hundred tasks of the train images."""
        ways = min(5, self.sizes.classes)
        evaluate_fewshot(*self.arrays[:2], ways=ways, shots=1, tasks=100, interval="tasks")

    def label_free(self) -> None:
        """The measures of the train table."""
        label_free_measures(*self.arrays[:2])


def jobs(steps: int) -> dict[str, Callable[[Tables], None]]:
    """What can be measured, by name."""
    grid = f"linear-cached,recipe=dinov2,iterations={steps}"
    methods = ("ncm", "ncm,norm=l2", "cosine", "ridge,norm=l2", "logreg", grid)
    found: dict[str, Callable[[Tables], None]] = {
        "label-free": Tables.label_free,
        "linear dino": lambda tables: tables.linear("dino"),
        "linear dinov2": lambda tables: tables.linear("dinov2"),
        "k-NN": Tables.knn,
        "retrieval": Tables.retrieval,
        "few-shot": Tables.fewshot,
        "logistic regression": Tables.logistic,
    }
    for method in methods:
        found[f"100 %, {method}"] = partial(Tables.budget, method=method)
    return found


def main(
    images: int = 1_281_167,
    test: int = 50_000,
    width: int = 384,
    classes: int = 1000,
    voters: int = 180_000,
    queries: int = 512,
    steps: int = 8,
    mapped: bool = False,
    halves: bool = False,
    job: Annotated[list[str] | None, typer.Option()] = None,
    repeats: int = 1,
) -> None:
    """Prints the peak of each job; `--job` chooses some by the beginnings of their names."""
    sizes = Sizes(images, test, width, classes, min(voters, images), queries, steps)
    chosen = [name for name in jobs(steps) if not job or name.startswith(tuple(job))]
    kind = np.float16 if halves else np.float32
    rows: list[dict[str, object]] = []
    with TemporaryDirectory() as folder:
        for part, count in (("train", images), ("test", test)):
            _write(Path(folder) / f"{part}.npy", (count, width), kind, classes)
        for name in chosen:
            runs = [in_new_process(_run, name, Path(folder), sizes, mapped) for _ in range(repeats)]
            rows.append(_row(name, runs))
            print(markdown(rows[-1:]), flush=True)
    print(f"\n{markdown(rows)}")
    print(
        f"\n{images:,} train and {test:,} test images of {classes:,} classes, {width} dimensions:"
    )
    place = "mapped from the disk" if mapped else "read into memory"
    size = np.dtype(kind).itemsize * width * images / _GB
    print(f"{size:.3g} GB of train features, {kind.__name__}, {place}; {voters:,} voters")
    print(
        f"of k-NN, {queries} queries of retrieval, {steps} steps of each training, one Newton step"
    )
    print("of each logistic regression.")


def _write(path: Path, shape: tuple[int, int], kind: type, classes: int) -> None:
    """Overlapping classes in turn."""
    images, width = shape
    random = np.random.default_rng(images)
    means = np.random.default_rng(0).standard_normal((classes, width), dtype=np.float32)
    table = open_memmap(path, "w+", kind, shape)
    for start in range(0, images, _BLOCK):
        labels = np.arange(start, min(start + _BLOCK, images)) % classes
        noise = random.standard_normal((len(labels), width), dtype=np.float32)
        table[start : start + _BLOCK] = 0.3 * means[labels] + noise
    table.flush()


def _run(name: str, folder: Path, sizes: Sizes, mapped: bool) -> tuple[float, float, float]:
    """Peak before the job and at its end in MiB, and its seconds."""
    keep_freed_memory()
    tables, job = Tables(folder, sizes, mapped), jobs(sizes.steps)[name]
    started = time.perf_counter()
    if mapped:
        before, peak = _anonymous_mb(), _anonymous_peak_mb(lambda: job(tables))
    else:
        before = peak_memory_mb()
        job(tables)
        peak = peak_memory_mb()
    return before, peak, time.perf_counter() - started


def _anonymous_peak_mb(job: Callable[[], None]) -> float:
    """The most memory without a file that the process had during a job, in MiB."""
    done, peaks = threading.Event(), [0.0]

    def watch() -> None:
        while not done.wait(_SAMPLE_S):
            peaks[0] = max(peaks[0], _anonymous_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        job()
    finally:
        done.set()
        watcher.join()
    return max(peaks[0], _anonymous_mb())


def _anonymous_mb() -> float:
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def _row(name: str, runs: Sequence[tuple[float, float, float]]) -> dict[str, object]:
    before, peak, seconds = max(runs, key=lambda run: run[1])
    return {
        "job": name,
        "peak, GB": peak * 2**20 / _GB,
        "of which read, GB": before * 2**20 / _GB,
        "s": seconds,
    }


if __name__ == "__main__":
    typer.run(main)
