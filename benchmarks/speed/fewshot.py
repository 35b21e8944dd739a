"""Few-shot methods and their peers: `python -m lowlabel.benchmarks.speed.fewshot`.

Five-way tasks with 15 queries per class, on random 384-dimensional features of 20 classes with 600
images each. A peer runs in a loop over the first of the same tasks; times are compared per task.
`lowlabel.benchmarks.speed.dc` measures Distribution Calibration.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import LinearSVC
from torch import Tensor
from torch.nn.functional import normalize

from lowlabel.benchmarks.speed.peers import installed_peers
from lowlabel.benchmarks.speed.processes import in_new_process
from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.devices import describe_device, peak_memory_mb, resolve_device
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.fewshot.episodes import EpisodeSampler

CLASSES, WAYS, QUERIES = 20, 5, 15
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
    """One method, and the sizes of its tasks and features."""

    method: str
    shots: int
    tasks: int
    device: str
    images: int
    width: int

    @property
    def peer(self) -> str:
        """The name of the method's peer."""
        return PEERS[self.method]

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
            interval="tasks",
            device=self.device,
        )

    def run_peer(self, features: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
        """Evaluates the peer in a loop over the same tasks, on the CPU."""
        table = torch.from_numpy(features)
        if "cl2n" in self.method:
            table = table - table.mean(0)
        if "norm" in self.method:
            table = normalize(table)
        classify = _peer(self.peer)
        ways = torch.arange(WAYS).repeat_interleave(self.shots)
        sampler = EpisodeSampler(labels, WAYS, self.shots, QUERIES)
        for episodes in sampler.blocks(self.tasks, 0, self.tasks):
            for support, query in zip(episodes.support, episodes.query, strict=True):
                classify(table[support.ravel()], ways, table[query])

    def peak_memory(self) -> float:
        """Peak memory of this process after one run, in MiB."""
        self.run(*self.data())
        return peak_memory_mb()

    def data(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Random features and labels."""
        random = np.random.default_rng(0)
        features = random.standard_normal((CLASSES * self.images, self.width), dtype=np.float32)
        return features, np.arange(CLASSES).repeat(self.images)


def main(
    tasks: int = 10_000,
    peer_tasks: int = 200,
    repeats: int = 3,
    images: int = 600,
    width: int = 384,
    device: str = "auto",
) -> None:
    """Prints seconds, milliseconds per task, peak memory and the ratio to a peer."""
    jobs = [
        Job(method, shots, tasks, device, images, width) for shots in (1, 5) for method in PEERS
    ]
    # Measured first: a process never reports a smaller peak than the process that started it.
    importing = in_new_process(peak_memory_mb)
    peaks = [in_new_process(job.peak_memory) for job in jobs]
    peers = installed_peers({peer: _package(peer) for peer in PEERS.values()})
    rows = [
        _row(job, peer_tasks if job.peer in peers else 0, repeats) | {"peak, MiB": round(peak)}
        for job, peak in zip(jobs, peaks, strict=True)
    ]
    print(markdown(rows))
    print(f"\nMedians of {repeats} runs in turn on {describe_device(resolve_device(device))}.")
    print(f"Seconds are for {tasks:,} tasks. Peers have their default options and run on the CPU")
    print(f"over {peer_tasks:,} of the tasks. Peak memory is that of a new process that runs the")
    print(f"method once; it includes {importing:.0f} MiB from importing libraries.")


def _row(job: Job, peer_tasks: int, repeats: int) -> dict[str, object]:
    """A row of the table; without peer tasks the peer is left out."""
    data = job.data()
    runs: dict[str, Callable[[], object]] = {"ours": lambda: job.run(*data)}
    if peer_tasks:
        runs["peer"] = lambda: replace(job, tasks=peer_tasks).run_peer(*data)
    seconds = median_seconds(runs, repeats)
    ours = seconds["ours"] / job.tasks
    theirs = seconds["peer"] / peer_tasks if "peer" in seconds else None
    return {
        "shots": job.shots,
        "method": job.method,
        "s": seconds["ours"],
        "ms/task": 1e3 * ours,
        "peer": job.peer,
        "peer, ms/task": theirs and 1e3 * theirs,
        "times faster": theirs and theirs / ours,
    }


def _package(peer: str) -> str:
    return peer.split()[0].replace("scikit-learn", "sklearn")


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
