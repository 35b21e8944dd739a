"""The few-shot protocol: accuracies of a method on random tasks."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lowlabel.arrays import Features, Labels, as_integers, as_labels
from lowlabel.devices import resolve_device
from lowlabel.fewshot.decisions import accuracies
from lowlabel.fewshot.episodes import Episodes, EpisodeSampler
from lowlabel.fewshot.methods import Method, build_method
from lowlabel.fewshot.prepared import prepare
from lowlabel.fewshot.result import FewShotResult, require_interval
from lowlabel.progress import Progress
from lowlabel.workers import cpu_workers, run_parallel

# Small enough on a CPU for glibc to reuse the memory (32 MiB), large enough to fill a GPU.
_BLOCK_BYTES_CPU = 24 * 2**20
_BLOCK_BYTES = 256 * 2**20  # of a GPU, or of all threads of a CPU


def evaluate_fewshot(
    features: Features,
    labels: Labels,
    *,
    base: tuple[Features, Labels] | None = None,
    method: str | Method = "ncm",
    ways: int = 5,
    shots: int = 1,
    queries: int = 15,
    query_distribution: str = "balanced",
    tasks: int = 10_000,
    seed: int = 0,
    interval: str = "normal",
    device: str | torch.device = "auto",
    task_block: int | None = None,
    progress: Progress | None = None,
) -> FewShotResult:
    """Evaluates a few-shot method on random tasks.

    The tasks depend only on the labels, `ways`, `shots`, `queries`, `query_distribution` and
    `seed`: every model and method is scored on the same tasks, and a longer run begins with the
    tasks of a shorter one.

    Args:
        features: Embeddings of the novel classes, floats [N, D], numpy or torch; converted to
            float32.
        labels: Class of each image, any integers, [N]. Classes may differ in size.
        base: Features and labels of the base classes, for methods that use them.
        method: A method, or its spec such as "ncm", "ncm,norm=cl2n" or "logreg,c=0.1"; see
            `METHODS`.
        ways: Classes per task.
        shots: Labelled images per class.
        queries: Images per class to classify, on average.
        query_distribution: "balanced" (`queries` images of each class) or "dirichlet" (ways ×
            queries images, divided unequally among the classes; see `dirichlet_counts`).
        tasks: Number of tasks.
        seed: Random seed, at least 0. The same seed gives every model the same tasks.
        interval: Definition of the confidence interval, "normal" or "student-t"; see
            `confidence_interval`.
        device: Device to compute on; "auto" is a GPU if there is one.
        task_block: Number of tasks computed together, on a CPU by each thread; by default chosen
            to fit the memory.
        progress: Called with (tasks done, tasks) after each block.

    Returns:
        The accuracies, their mean and 95 % confidence interval, and the hash of the tasks.

    Raises:
        InputError: If arrays or options are invalid; the message gives the values and counts.
        UnknownNameError: If there is no such method, query distribution or interval.

    Example:
        >>> import numpy as np
        >>> labels = np.repeat(np.arange(20), 30)
        >>> features = np.eye(20, dtype=np.float32)[labels]
        >>> evaluate_fewshot(features, labels, tasks=100, device="cpu").mean
        100.0
    """
    classifier = build_method(method)
    ways, shots, queries, tasks = as_integers(
        1, ways=ways, shots=shots, queries=queries, tasks=tasks
    )
    (seed,) = as_integers(0, seed=seed)
    require_interval(interval)
    if task_block is not None:
        (task_block,) = as_integers(1, task_block=task_block)
    device = resolve_device(device)
    prepared = prepare(classifier, features, base, device)
    classes = as_labels(labels, len(prepared.features))
    sampler = EpisodeSampler(classes, ways, shots, queries, query_distribution)
    rows = classifier.rows_per_task(ways, shots, queries)
    workers = cpu_workers(device) if classifier.blocks_are_independent else 1
    block = task_block or min(
        _default_block(classifier, prepared.features, rows, workers), math.ceil(tasks / workers)
    )

    distribution = "" if query_distribution == "balanced" else f",{query_distribution}"
    digest = hashlib.sha256(f"{ways},{shots},{queries}{distribution}:".encode())

    def blocks() -> Iterator[tuple[int, Episodes]]:
        first = 0
        for episodes in sampler.blocks(tasks, seed, block):
            digest.update(episodes.to_bytes())
            yield first, episodes
            first += len(episodes)

    @torch.inference_mode()  # set per thread
    def score(numbered: tuple[int, Episodes]) -> tuple[int, NDArray[np.float64]]:
        first, episodes = numbered
        seeds = [(seed, number) for number in range(first, first + len(episodes))]
        return first, accuracies(classifier, prepared, episodes, seeds)

    scored: dict[int, NDArray[np.float64]] = {}
    done = 0
    with closing(run_parallel(score, blocks(), workers)) as work:
        for first, found in work:
            scored[first] = found
            done += len(found)
            if progress is not None:
                progress(done, tasks)
    return FewShotResult(
        accuracies=np.concatenate([scored[first] for first in sorted(scored)]),
        method=classifier.spec,
        transductive=classifier.transductive,
        ways=ways,
        shots=shots,
        queries=queries,
        seed=seed,
        task_hash=digest.hexdigest(),
        query_distribution=query_distribution,
        interval=interval,
    )


def _default_block(method: Method, features: Tensor, rows_per_task: int, workers: int) -> int:
    limit = _BLOCK_BYTES // workers
    if features.device.type == "cpu":
        limit = min(limit, _BLOCK_BYTES_CPU)
    # A transductive method may compare all images of a task with each other.
    width = max(features.shape[1], rows_per_task * method.transductive)
    return max(1, limit // (rows_per_task * width * features.element_size()))
