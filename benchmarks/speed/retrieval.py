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
import torch
import typer
from numpy.typing import NDArray

from lowlabel.benchmarks.speed.timing import markdown
from lowlabel.devices import describe_device, peak_memory_mb, resolve_device
from lowlabel.errors import InputError
from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.clustering import nmi

KS = (1, 10, 100, 1000)
CLASS_SIZES = 2, 12
NOISE = 2.15  # about the class means: Recall@1 is then about 60 % at the default sizes
WARM_UP = 2048  # images
BARE = "bare product"


@dataclass(frozen=True)
class Task:
    """Features of so many images and classes, and where they are compared."""

    images: int
    width: int
    classes: int
    device: str

    def data(self, clustered: bool) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Random features, or noise about class means; labels in no order."""
        random = np.random.default_rng(0)
        labels = np.arange(self.classes).repeat(_class_sizes(self.images, self.classes, random))
        random.shuffle(labels)
        features = random.standard_normal((self.images, self.width), dtype=np.float32)
        if clustered:
            features *= NOISE
            means = random.standard_normal((self.classes, self.width), dtype=np.float32)
            for part in np.array_split(np.arange(self.images), 64):  # no second copy in memory
                features[part] += means[labels[part]]
        return features, labels


@dataclass(frozen=True)
class Run:
    """What one run in a process of its own took."""

    seconds: float
    peak_mb: float
    recall_at_1: float | None


T = TypeVar("T")
Evaluate = Callable[[NDArray[np.float32], NDArray[np.int64], str], float | None]


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
    jobs = [job for job in JOBS if peers or job in _WITHOUT_PEERS]
    jobs = [job for job in jobs if find_spec(_NEEDS.get(job, "torch"))]
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


def _bare(features: NDArray[np.float32], labels: NDArray[np.int64], device: str) -> None:
    place = resolve_device(device)
    table = torch.nn.functional.normalize(torch.from_numpy(features).to(place))
    out = torch.empty(1024, len(table), device=place)
    for rows in table.split(1024):
        torch.mm(rows, table.T, out=out[: len(rows)])
    if place.type == "cuda":
        torch.cuda.synchronize()


def _ours(features: NDArray[np.float32], labels: NDArray[np.int64], device: str) -> float:
    result = evaluate_retrieval(features, labels, ks=KS, device=device)
    return result.metrics["recall@1"]


def _hnsw(features: NDArray[np.float32], labels: NDArray[np.int64], device: str) -> float:
    result = evaluate_retrieval(features, labels, ks=(1, 10, 100), search="hnsw", device=device)
    return result.metrics["recall@1"]


def _nmi(features: NDArray[np.float32], labels: NDArray[np.int64], device: str) -> None:
    nmi(torch.nn.functional.normalize(torch.from_numpy(features)), torch.from_numpy(labels))


def _metric_learning(
    features: NDArray[np.float32], labels: NDArray[np.int64], device: str
) -> float:
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    calculator = AccuracyCalculator(
        include=("precision_at_1", "r_precision", "mean_average_precision_at_r"),
        k="max_bin_count",
        device=resolve_device(device),
    )
    table = torch.nn.functional.normalize(torch.from_numpy(features))
    scores = calculator.get_accuracy(table, torch.from_numpy(labels))
    return 100 * float(scores["precision_at_1"])


def _faiss(features: NDArray[np.float32], labels: NDArray[np.int64], device: str) -> float:
    import faiss

    table = torch.nn.functional.normalize(torch.from_numpy(features)).numpy()
    index = faiss.IndexFlatIP(table.shape[1])
    index.add(table)
    first = np.concatenate(
        [
            _others(index.search(table[i : i + 4096], max(KS) + 1)[1], i)
            for i in range(0, len(table), 4096)
        ]
    )
    return 100 * float((labels[first] == labels).mean())


def _others(found: NDArray[np.int64], start: int) -> NDArray[np.int64]:
    own = np.arange(start, start + len(found))
    return np.where(found[:, 0] == own, found[:, 1], found[:, 0])


RANDOM, CLUSTERED = "lowlabel, random features", "lowlabel, clustered features"
HNSW = "lowlabel --search hnsw, 101 nearest; clustered"
NMI = "lowlabel NMI: 20 iterations of faiss' k-means; clustered"
METRIC_LEARNING = "pytorch-metric-learning P@1, MAP@R, R-Precision; clustered"
FLAT = "faiss IndexFlatIP, 1001 nearest; clustered"
JOBS: dict[str, Evaluate] = {
    BARE: _bare,
    RANDOM: _ours,
    CLUSTERED: _ours,
    HNSW: _hnsw,
    NMI: _nmi,
    METRIC_LEARNING: _metric_learning,
    FLAT: _faiss,
}
_WITHOUT_PEERS = BARE, RANDOM, CLUSTERED
_NEEDS = {
    HNSW: "faiss",
    NMI: "faiss",
    METRIC_LEARNING: "pytorch_metric_learning",
    FLAT: "faiss",
}


def _class_sizes(images: int, classes: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Sizes from 2 to 12 that add up to the number of images."""
    low, high = CLASS_SIZES
    share = (images / classes - low) / (high - low)
    if not 0 <= share <= 1:
        raise InputError(f"{images} images are not {low} to {high} for each of {classes} classes")
    sizes = low + random.binomial(high - low, share, classes)
    while (missing := images - sizes.sum()) != 0:
        free = np.flatnonzero(sizes < high if missing > 0 else sizes > low)
        some = random.choice(free, min(abs(missing), len(free)), replace=False)
        sizes[some] += np.sign(missing)
    return sizes


if __name__ == "__main__":
    typer.run(main)
