"""The few-shot protocol: accuracies of a method on random tasks."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.arrays import Features, Labels, as_integers, as_labels, as_seed
from lowlabel.devices import scoring_device
from lowlabel.errors import InputError
from lowlabel.fewshot.episodes import Episodes, EpisodeSampler
from lowlabel.fewshot.grouped.sampler import GroupSampler
from lowlabel.fewshot.methods import Method, build_method
from lowlabel.fewshot.more_tasks import disjoint, in_halves
from lowlabel.fewshot.preparation.prepared import prepare
from lowlabel.fewshot.preparation.span import in_span
from lowlabel.fewshot.result import FewShotResult
from lowlabel.fewshot.task_scorer import TaskScorer
from lowlabel.fewshot.uncertainty import interval_kind, over_classes, over_tasks
from lowlabel.progress import Progress

IntArray = NDArray[np.int64]


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
    interval: str = "images",
    groups: Labels | None = None,
    groups_apart: bool = False,
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
        interval: What the confidence interval `ci95` is about. "images": other images of the same
            classes, by half-sampling, which takes 2 · S · 200 more tasks with S = `splits` of the
            method. "tasks" (or "normal"): other tasks of the same images, as papers print;
            "student-t": the same by Student's t. "classes": other classes, by the jackknife.
            "groups": the same over `groups`, which must be given. "open": tasks that share no image
            (arXiv:2409.02850), which keep no groups apart. The result has those over tasks
            and classes in any case.
        groups: Group of each image, as its patient or burst, any integers, [N]; the group takes
            the image's place in half-sampling.
        groups_apart: Whether the images to classify have other groups than the labelled ones of
            their task.
        device: Device to compute on; "auto" is a GPU if there is one.
        task_block: Number of tasks computed together, on a CPU by each thread; by default chosen
            to fit the memory.
        progress: Called with (tasks done, tasks) after each block.

    Returns:
        The accuracies, their mean and 95 % confidence intervals, and the hash of the tasks.

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
    seed = as_seed(seed)
    kind = interval_kind(interval)
    if task_block is not None:
        (task_block,) = as_integers(1, task_block=task_block)
    device = scoring_device(device)
    prepared = in_span(classifier, prepare(classifier, features, base, device))
    classes = as_labels(labels, len(prepared.features))
    units = None if groups is None else as_labels(groups, len(classes), "groups")
    if units is None and (groups_apart or kind == "groups"):
        wanted = "groups_apart" if groups_apart else "interval='groups'"
        raise InputError(f"{wanted} needs the group of each image", "Pass groups=.")
    drawn = (ways, shots, queries, query_distribution)
    apart = units if groups_apart else None
    sampler = (
        EpisodeSampler(classes, *drawn) if apart is None else GroupSampler(classes, apart, *drawn)
    )
    run = _Run(sampler, classes, tasks, seed)
    more = None
    if kind in ("images", "groups"):
        run_of = {"splits": classifier.splits, "tasks": tasks, "seed": seed}
        more = in_halves(sampler, classes, units, apart=groups_apart, kind=kind, **run_of)
    elif kind == "open":
        more = disjoint(classes, ways, shots, seed, apart=groups_apart)
    tell = _counter(progress, tasks + (more.number if more else 0))
    scorer = TaskScorer(classifier, prepared, ways, shots, seed, task_block, tell)
    accuracies = scorer.accuracies(run.blocks, tasks, queries)
    intervals = {
        "tasks": over_tasks(accuracies, interval),
        "classes": over_classes(accuracies, np.concatenate(run.drawn), len(np.unique(classes))),
    }
    if more:
        found = scorer.accuracies(more.blocks, more.number, more.queries)
        intervals[kind] = more.interval(found, accuracies)
    return FewShotResult(
        accuracies=accuracies,
        method=classifier.spec,
        transductive=classifier.transductive,
        ways=ways,
        shots=shots,
        queries=queries,
        seed=seed,
        task_hash=run.hash(),
        intervals=intervals,
        query_distribution=query_distribution,
        interval=interval,
    )


@dataclass
class _Run:
    """The tasks of a run, of which it keeps the hash and the classes as they are drawn."""

    sampler: EpisodeSampler
    labels: IntArray
    tasks: int
    seed: int
    drawn: list[IntArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        sampler = self.sampler
        head = f"{sampler.ways},{sampler.shots},{sampler.queries}{sampler.label}:"
        self._digest = hashlib.sha256(head.encode())
        self._classes = np.unique(self.labels, return_inverse=True)[1]

    def blocks(self, block: int) -> Iterator[tuple[IntArray, Episodes]]:
        """Yields the numbered tasks, at most `block` at a time."""
        first = 0
        for episodes in self.sampler.blocks(self.tasks, self.seed, block):
            self._digest.update(episodes.to_bytes())
            self.drawn.append(self._classes[episodes.support[:, :, 0]])
            yield np.arange(first, first + len(episodes)), episodes
            first += len(episodes)

    def hash(self) -> str:
        """SHA-256 of the options and of the rows of the tasks that were drawn."""
        return self._digest.hexdigest()


def _counter(progress: Progress | None, total: int) -> Callable[[int], None]:
    """Counts tasks, for a progress of all."""
    done = 0

    def tell(tasks: int) -> None:
        nonlocal done
        done += tasks
        if progress is not None:
            progress(done, total)

    return tell
