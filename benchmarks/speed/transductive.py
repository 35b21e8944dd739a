"""Transductive methods and easyfsl's: `python -m lowlabel.benchmarks.speed.transductive`.

Five-way tasks with 15 queries per class, on 384-dimensional features of 20 overlapping classes with
600 images each. Both take the same number of steps with the same hyper-parameters. easyfsl runs in
a loop over the first of the same tasks; times are compared per task. Its features are scaled to
length 1, without which its PT-MAP underflows, and it uses one neighbour more, because it counts
each query as a neighbour of itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch.nn.functional import normalize

from lowlabel.benchmarks.speed.peers import installed_peers
from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.devices import describe_device, keep_freed_memory, resolve_device
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.fewshot.episodes import EpisodeSampler

CLASSES, WAYS, QUERIES = 20, 5, 15

Data = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class Pair:
    """A method, and the class of easyfsl that does the same.

    Attributes:
        method: Spec of the method.
        peer: Name of easyfsl's class.
        options: Options of easyfsl's class.
        tasks: Tasks of the method, as a share of `--tasks`.
        peer_tasks: Tasks of the peer, as a share of `--peer-tasks`.
    """

    method: str
    peer: str
    options: dict[str, float]
    tasks: float = 1.0
    peer_tasks: float = 1.0


PAIRS = (
    Pair("bd-cspn,norm=l2n,scale=1,rectification=paper", "BDCSPN", {}),
    Pair(
        "laplacianshot,norm=l2n,scale=1,neighbours=3,rectification=paper",
        "LaplacianShot",
        {"knn": 4},
    ),
    Pair("pt-map", "PTMAP", {"fine_tuning_steps": 20}, 0.2, 0.05),
    Pair("tim,iterations=50", "TIM", {"fine_tuning_steps": 50, "temperature": 15}, 0.2, 0.1),
    Pair("tim", "TIM", {"fine_tuning_steps": 1000, "temperature": 15}, 0.02, 0.01),
)


def main(
    tasks: int = 10_000,
    peer_tasks: int = 200,
    repeats: int = 3,
    images: int = 600,
    width: int = 384,
    device: str = "auto",
) -> None:
    """Prints the milliseconds per task of both, and their ratio."""
    keep_freed_memory()
    data = _data(images, width)
    peer_tasks = peer_tasks if installed_peers({"easyfsl": "easyfsl"}) else 0
    rows = [
        _row(pair, shots, data, tasks, peer_tasks, repeats, device)
        for shots in (1, 5)
        for pair in PAIRS
    ]
    print(markdown(rows))
    print(f"\nMedians of {repeats} runs in turn on {describe_device(resolve_device(device))};")
    print("easyfsl runs on the CPU.")


def _row(
    pair: Pair, shots: int, data: Data, tasks: int, peer_tasks: int, repeats: int, device: str
) -> dict[str, object]:
    """A row of the table; without peer tasks the peer is left out."""
    ours, theirs = (max(1, round(n)) for n in (pair.tasks * tasks, pair.peer_tasks * peer_tasks))
    runs: dict[str, Callable[[], object]] = {
        "ours": lambda: evaluate_fewshot(
            *data, method=pair.method, shots=shots, tasks=ours, interval="tasks", device=device
        )
    }
    if peer_tasks:
        runs["peer"] = lambda: run_peer(pair, shots, theirs, *data)
    seconds = median_seconds(runs, repeats)
    per_task = 1e3 * seconds["ours"] / ours
    per_peer_task = 1e3 * seconds["peer"] / theirs if peer_tasks else None
    return {
        "shots": shots,
        "method": pair.method,
        "tasks": ours,
        "ms/task": per_task,
        "easyfsl, tasks": theirs if peer_tasks else None,
        "easyfsl, ms/task": per_peer_task,
        "times faster": per_peer_task and per_peer_task / per_task,
    }


def run_peer(
    pair: Pair, shots: int, tasks: int, features: NDArray[np.float32], labels: NDArray[np.int64]
) -> None:
    """Runs easyfsl's class in a loop over the tasks, on the CPU."""
    from easyfsl import methods

    model: Any = getattr(methods, pair.peer)(**pair.options)
    table = normalize(torch.from_numpy(features))
    ways = torch.arange(WAYS).repeat_interleave(shots)
    (episodes,) = EpisodeSampler(labels, WAYS, shots, QUERIES).blocks(tasks, 0, tasks)
    for support, query in zip(episodes.support, episodes.query, strict=True):
        model.process_support_set(table[support.ravel()], ways)
        model(table[query]).argmax(1)


def _data(images: int, width: int) -> Data:
    """Features and labels; features are not negative, as PT-MAP needs."""
    random = np.random.default_rng(0)
    labels = np.arange(CLASSES).repeat(images)
    features = random.random((CLASSES, width), np.float32)[labels]
    return features + 2 * random.random((CLASSES * images, width), np.float32), labels


if __name__ == "__main__":
    typer.run(main)
