"""Transductive methods beside easyfsl: `python -m lowlabel.benchmarks.speed.transductive`.

Five-way tasks of 15 queries a class, on 384-dimensional features of 20 overlapping classes of 600
images. Both take the same number of steps with the same hyper-parameters; easyfsl is a loop over
the same tasks, on fewer of them, and is compared by the task. Its features are scaled to length 1,
without which its PT-MAP underflows, and it gets one neighbour more, for it counts a query as its
own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch.nn.functional import normalize

from lowlabel.benchmarks.speed.timing import markdown, median_seconds
from lowlabel.devices import describe_device, keep_freed_memory, resolve_device
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.fewshot.episodes import EpisodeSampler

CLASSES, IMAGES, WIDTH = 20, 600, 384
WAYS, QUERIES = 5, 15


@dataclass(frozen=True)
class Pair:
    """A method and the class and options of easyfsl that do the same.

    Attributes:
        method: Our spec.
        peer: The class's name.
        options: Its options.
        tasks: How many tasks ours sees, as a share of the asked number.
        peer_tasks: How many the peer sees, likewise.
    """

    method: str
    peer: str
    options: dict[str, float]
    tasks: float = 1.0
    peer_tasks: float = 1.0


PAIRS = (
    Pair("bd-cspn,norm=l2n,scale=1", "BDCSPN", {}),
    Pair("laplacianshot,norm=l2n,scale=1", "LaplacianShot", {"knn": 4}),
    Pair("pt-map", "PTMAP", {"fine_tuning_steps": 20}, 0.2, 0.05),
    Pair("tim,iterations=50", "TIM", {"fine_tuning_steps": 50, "temperature": 15}, 0.2, 0.1),
    Pair("tim", "TIM", {"fine_tuning_steps": 1000, "temperature": 15}, 0.02, 0.01),
)


def main(
    tasks: int = 10_000, peer_tasks: int = 200, repeats: int = 3, device: str = "auto"
) -> None:
    """Prints milliseconds per task of both, and their ratio."""
    keep_freed_memory()
    rows = [
        _row(pair, shots, tasks, peer_tasks, repeats, device) for shots in (1, 5) for pair in PAIRS
    ]
    print(markdown(rows))
    print(f"\nMedians of {repeats} runs in turn on {describe_device(resolve_device(device))};")
    print("easyfsl runs on the CPU.")


def _row(
    pair: Pair, shots: int, tasks: int, peer_tasks: int, repeats: int, device: str
) -> dict[str, object]:
    features, labels = _embeddings()
    ours, theirs = (max(1, round(n)) for n in (pair.tasks * tasks, pair.peer_tasks * peer_tasks))
    runs: dict[str, Callable[[], object]] = {
        "ours": lambda: evaluate_fewshot(
            features, labels, method=pair.method, shots=shots, tasks=ours, device=device
        ),
        "peer": lambda: _run_peer(pair, shots, theirs, features, labels),
    }
    seconds = median_seconds(runs, repeats)
    per_task, per_peer_task = 1e3 * seconds["ours"] / ours, 1e3 * seconds["peer"] / theirs
    return {
        "shots": shots,
        "method": pair.method,
        "tasks": ours,
        "ms/task": per_task,
        "easyfsl, tasks": theirs,
        "easyfsl, ms/task": per_peer_task,
        "times faster": per_peer_task / per_task,
    }


def _run_peer(
    pair: Pair, shots: int, tasks: int, features: NDArray[np.float32], labels: NDArray[np.int64]
) -> None:
    from easyfsl import methods

    model: Any = getattr(methods, pair.peer)(**pair.options)
    table = normalize(torch.from_numpy(features))
    ways = torch.arange(WAYS).repeat_interleave(shots)
    (episodes,) = EpisodeSampler(labels, WAYS, shots, QUERIES).blocks(tasks, 0, tasks)
    for support, query in zip(episodes.support, episodes.query, strict=True):
        model.process_support_set(table[support.ravel()], ways)
        model(table[query]).argmax(1)


def _embeddings() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Not negative, as PT-MAP needs them."""
    random = np.random.default_rng(0)
    labels = np.arange(CLASSES).repeat(IMAGES)
    features = random.random((CLASSES, WIDTH), np.float32)[labels]
    return features + 2 * random.random((CLASSES * IMAGES, WIDTH), np.float32), labels


if __name__ == "__main__":
    typer.run(main)
