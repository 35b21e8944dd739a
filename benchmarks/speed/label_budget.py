"""A label budget, method by method: `python -m lowlabel.benchmarks.speed.label_budget`.

Ten budgets, several draws of each, and all test images. A peer of scikit-learn, asked for by
`--peers`, fits and predicts on the first draw of each budget; its time is multiplied by the draws.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from lowlabel.benchmarks.speed.processes import in_new_process
from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.classification.budget import BudgetTask, build_budgets, build_learner
from lowlabel.devices import describe_device, peak_memory_mb, resolve_device

NOISE = 4.0
SHARES = (0.002, 0.004, 0.01, 0.02, 0.04, 0.1, 0.2, 0.4, 0.6, 1.0)  # 1 to 500 of 500 images
METHODS = ("ncm", "cosine", "ridge", "logreg")
PEERS: dict[str, Callable[[], Any]] = {
    "ridge": RidgeClassifier,
    "logreg": lambda: LogisticRegression(max_iter=1000),
}
Sets = tuple[tuple[NDArray[np.float32], NDArray[np.int64]], ...]


def main(
    classes: int = 100,
    images: int = 500,
    test: int = 10_000,
    width: int = 384,
    draws: int = 5,
    repeats: int = 1,
    peers: bool = False,
    device: str = "auto",
) -> None:
    """Prints the seconds of each method and of a peer, and the peak memory."""
    sets = _sets(classes, images, test, width)
    peak = in_new_process(_peak, sets, images, METHODS[-1], device)
    task = _task(sets, images, draws, device)
    accuracies: dict[str, float] = {}
    jobs = {method: partial(_score, task, method, accuracies) for method in METHODS}
    seconds = median_seconds(jobs, repeats)
    rows = [
        {"method": method, "s": seconds[method]}
        | ({"scikit-learn, s": _peer_seconds(sets, task, method)} if peers else {})
        | {"top-1 with all labels, %": accuracies[method]}
        for method in METHODS
    ]
    print(markdown(rows))
    budgets = ", ".join(map(str, _budgets(images)))
    print(f"\n{sum(seconds.values()):.0f} s in all: {budgets} labels of each of {classes} classes,")
    print(
        f"{draws} draws each, {test:,} test images, {width} dimensions. Medians of {repeats} runs"
    )
    print(f"in turn on {describe_device(resolve_device(device))}. A new process that scores the")
    print(f"largest budget by {METHODS[-1]} takes {peak:,.0f} MiB at its peak.")


def _budgets(images: int) -> list[int]:
    return sorted({max(1, round(share * images)) for share in SHARES})


def _sets(classes: int, images: int, test: int, width: int) -> Sets:
    random = np.random.default_rng(0)
    means = random.standard_normal((classes, width), dtype=np.float32)
    labels = np.arange(classes).repeat(images), np.arange(test) % classes
    shape = ((len(each), width) for each in labels)
    noise = [NOISE * random.standard_normal(size, dtype=np.float32) for size in shape]
    return tuple((means[y] + part, y) for y, part in zip(labels, noise, strict=True))


def _task(sets: Sets, images: int, draws: int, device: str) -> BudgetTask:
    return BudgetTask.of(
        *sets,
        budgets=build_budgets(_budgets(images)),
        draws=draws,
        base=None,
        lists=None,
        short="error",
        seed=0,
        device=device,
    )


def _score(task: BudgetTask, method: str, accuracies: dict[str, float]) -> None:
    """Scores a method at every budget; notes its top-1 at the largest."""
    learner = build_learner(method)
    for each in task.draws:
        accuracies[method] = task.score(learner, each).metrics["top1"]


def _peer_seconds(sets: Sets, task: BudgetTask, method: str) -> float | None:
    """Seconds of scikit-learn on the CPU, from one draw of each budget."""
    if method not in PEERS:
        return None
    (x, y), (queries, _) = sets
    seconds = 0.0
    for each in task.draws:
        rows = each.rows[0]
        started = time.perf_counter()
        PEERS[method]().fit(x[rows], y[rows]).predict(queries)
        seconds += len(each.rows) * (time.perf_counter() - started)
    return seconds


def _peak(sets: Sets, images: int, method: str, device: str) -> float:
    task = _task(sets, images, 1, device)
    task.score(build_learner(method), task.draws[-1])
    return peak_memory_mb()


if __name__ == "__main__":
    typer.run(main)
