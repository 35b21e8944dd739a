"""A label budget, method by method: `python -m lowlabel.benchmarks.speed.label_budget`.

Ten budgets of the images of each class, some draws, and all test images. A peer of scikit-learn
fits and predicts on the first draw of each budget; its time is multiplied by the draws.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import NearestCentroid

from lowlabel.benchmarks.speed.processes import in_new_process
from lowlabel.benchmarks.speed.timing import markdown
from lowlabel.classification.budget import BudgetTask, build_budgets, build_learner
from lowlabel.devices import describe_device, peak_memory_mb, resolve_device

NOISE = 4.0
SHARES = (0.002, 0.004, 0.01, 0.02, 0.04, 0.1, 0.2, 0.4, 0.6, 1.0)  # 1 to 500 of 500 images
METHODS = ("ncm", "cosine", "ridge", "logreg")
PEERS: dict[str, Callable[[], Any]] = {
    "ncm": NearestCentroid,
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
    methods: str = " ".join(METHODS),
    peers: bool = True,
    device: str = "auto",
) -> None:
    """Prints the seconds of each method, those of a peer, and the largest resident size."""
    sets = _sets(classes, images, test, width)
    rows, total = [], 0.0
    for method in methods.split():
        started = time.perf_counter()
        top1 = _run(sets, images, draws, method, device)
        seconds = time.perf_counter() - started
        total += seconds
        peer = _peer_seconds(sets, images, draws, method) if peers and method in PEERS else None
        rows.append(
            {"method": method, "s": seconds, "scikit-learn, s": peer, "top-1 of all, %": top1}
        )
    print(markdown(rows))
    budgets = ", ".join(map(str, _budgets(images)))
    print(f"\n{total:.1f} s in all: budgets {budgets} of {classes} classes, {draws} draws,")
    print(
        f"{test:,} test images, {width} dimensions, on {describe_device(resolve_device(device))}."
    )
    job = sets, images, 1, methods.split()[-1], device
    print(f"Peak memory of a new process with {job[3]}: {in_new_process(_peak, *job):,.0f} MiB.")


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


def _run(sets: Sets, images: int, draws: int, method: str, device: str) -> float:
    """Scores a method at every budget; returns its top-1 at the largest."""
    task, learner = _task(sets, images, draws, device), build_learner(method)
    return [task.score(learner, each).metrics["top1"] for each in task.draws][-1]


def _peer_seconds(sets: Sets, images: int, draws: int, method: str) -> float:
    """Seconds of scikit-learn, from one draw of each budget."""
    (x, y), (queries, _) = sets
    seconds = 0.0
    for each in _task(sets, images, draws, "cpu").draws:
        rows = each.rows[0]
        started = time.perf_counter()
        PEERS[method]().fit(x[rows], y[rows]).predict(queries)
        seconds += len(each.rows) * (time.perf_counter() - started)
    return seconds


def _peak(sets: Sets, images: int, draws: int, method: str, device: str) -> float:
    _run(sets, images, draws, method, device)
    return peak_memory_mb()


if __name__ == "__main__":
    typer.run(main)
