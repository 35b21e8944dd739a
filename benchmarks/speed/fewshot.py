"""Few-shot methods beside their peers: `python -m lowlabel.benchmarks.speed.fewshot`.

Five-way tasks of 15 queries a class, on random 384-dimensional features of 20 classes of 600
images. A peer is a loop over the same tasks, on fewer of them, and is compared by the task.
Distribution Calibration has a module of its own, `lowlabel.benchmarks.speed.dc`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import LinearSVC
from torch import Tensor
from torch.nn.functional import normalize

from lowlabel.benchmarks.speed.processes import in_a_process_of_its_own
from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.devices import describe_device, peak_memory_mb, resolve_device
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.fewshot.episodes import EpisodeSampler

CLASSES, IMAGES, WIDTH = 20, 600, 384
WAYS, QUERIES = 5, 15
PEERS = {
    "ncm": "easyfsl PrototypicalNetworks",
    "ncm,norm=l2n": "easyfsl PrototypicalNetworks",
    "ncm,norm=cl2n": "easyfsl PrototypicalNetworks",
    "cosine": "easyfsl SimpleShot",
    "ridge": "scikit-learn RidgeClassifier",
    "ridge,norm=l2": "scikit-learn RidgeClassifier",
    "svm": "scikit-learn LinearSVC",
    "svm,norm=l2": "scikit-learn LinearSVC",
    "logreg": "scikit-learn LogisticRegression",
    "logreg,norm=l2": "scikit-learn LogisticRegression",
}

SKLEARN: dict[str, Callable[[], Any]] = {
    "RidgeClassifier": RidgeClassifier,
    "LinearSVC": LinearSVC,
    "LogisticRegression": partial(LogisticRegression, max_iter=1000),
}


@dataclass(frozen=True)
class Job:
    """One method and the numbers that its tasks are made of."""

    method: str
    shots: int
    tasks: int
    device: str

    def run(self, features: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        """Evaluates the method."""
        evaluate_fewshot(
            features,
            labels,
            base=(features, labels),
            method=self.method,
            ways=WAYS,
            shots=self.shots,
            queries=QUERIES,
            tasks=self.tasks,
            device=self.device,
        )

    def run_peer(self, features: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        """Evaluates the peer in a loop over the same tasks, on the CPU."""
        table = torch.from_numpy(features)
        if "cl2n" in self.method:
            table = table - table.mean(0)
        if "norm" in self.method:
            table = normalize(table)
        classify = _peer(PEERS[self.method])
        ways = torch.arange(WAYS).repeat_interleave(self.shots)
        sampler = EpisodeSampler(labels, WAYS, self.shots, QUERIES)
        for episodes in sampler.blocks(self.tasks, 0, self.tasks):
            for support, query in zip(episodes.support, episodes.query, strict=True):
                classify(table[support.ravel()], ways, table[query])

    def peak_memory(self) -> float:
        """Peak memory of this process after one run, in MiB."""
        self.run(*_embeddings())
        return peak_memory_mb()


def main(
    tasks: int = 10_000, peer_tasks: int = 200, repeats: int = 3, device: str = "auto"
) -> None:
    """Prints seconds, milliseconds per task, peak memory and the ratio to a peer."""
    jobs = [Job(method, shots, tasks, device) for shots in (1, 5) for method in PEERS]
    # First, for a process never reports a smaller peak than the one that started it.
    importing = in_a_process_of_its_own(peak_memory_mb)
    peaks = [in_a_process_of_its_own(job.peak_memory) for job in jobs]
    rows = [
        _row(job, peer_tasks, repeats) | {"peak, MiB": round(peak)}
        for job, peak in zip(jobs, peaks, strict=True)
    ]
    print(markdown(rows))
    print(f"\nMedians of {repeats} runs in turn on {describe_device(resolve_device(device))}.")
    print(f"Seconds are for {tasks:,} tasks. Peers have their default options, run on the CPU and")
    print(f"saw {peer_tasks:,} of the tasks. Peak memory is that of a process of its own that runs")
    print(f"the method once; {importing:.0f} MiB of it come from importing libraries.")
    if not find_spec("easyfsl"):
        print("easyfsl is not installed, its columns are empty: pip install 'lowlabel[speed]'")


def _row(job: Job, peer_tasks: int, repeats: int) -> dict[str, object]:
    novel = _embeddings()
    peer_job = Job(job.method, job.shots, peer_tasks, job.device)
    runs: dict[str, Callable[[], object]] = {"ours": lambda: job.run(*novel)}
    if find_spec(PEERS[job.method].split()[0].replace("scikit-learn", "sklearn")):
        runs["peer"] = lambda: peer_job.run_peer(*novel)
    seconds = median_seconds(runs, repeats)
    ours = seconds["ours"] / job.tasks
    theirs = seconds["peer"] / peer_tasks if "peer" in seconds else None
    return {
        "shots": job.shots,
        "method": job.method,
        "s": seconds["ours"],
        "ms/task": 1e3 * ours,
        "peer": PEERS[job.method],
        "peer, ms/task": theirs and 1e3 * theirs,
        "times faster": theirs and theirs / ours,
    }


def _embeddings() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    random = np.random.default_rng(0)
    features = random.standard_normal((CLASSES * IMAGES, WIDTH), dtype=np.float32)
    return features, np.arange(CLASSES).repeat(IMAGES)


def _peer(name: str) -> Callable[[Tensor, Tensor, Tensor], object]:
    if name.startswith("scikit-learn"):
        make = SKLEARN[name.split()[1]]
        return lambda support, labels, query: (
            make().fit(support.numpy(), labels.numpy()).predict(query.numpy())
        )
    from easyfsl import methods

    model = getattr(methods, name.split()[1])()

    def classify(support: Tensor, labels: Tensor, query: Tensor) -> object:
        model.process_support_set(support, labels)
        return model(query).argmax(1)

    return classify


if __name__ == "__main__":
    typer.run(main)
