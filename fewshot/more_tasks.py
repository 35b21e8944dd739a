"""Tasks besides those of a run: for the intervals over images and over disjoint tasks."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lowlabel.fewshot.disjoint import disjoint_tasks
from lowlabel.fewshot.episodes import Episodes, EpisodeSampler
from lowlabel.fewshot.grouped.halves import GroupedHalves
from lowlabel.fewshot.halves import HALF_TASKS, Halves, differences
from lowlabel.fewshot.task_scorer import Blocks
from lowlabel.fewshot.uncertainty import confidence_interval
from lowlabel.intervals import Interval, IntervalKind, half_sampling

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_MOST_TIMES = 8


@dataclass(frozen=True)
class MoreTasks:
    """Tasks that an interval needs.

    Attributes:
        number: Number of tasks; 0 where the interval cannot be computed.
        queries: Images per class to classify, on average.
        blocks: Gives them by blocks.
        interval: Computes the interval from their accuracies and those of the run.
    """

    number: int
    queries: int
    blocks: Blocks
    interval: Callable[[FloatArray, FloatArray], Interval]


def half_tasks(splits: int, tasks: int) -> int:
    """Number of tasks that half-sampling adds to a run of `tasks`: in both halves of each split.

    More where a half has too few images for all queries of a task.
    """
    return 2 * splits * min(tasks, HALF_TASKS)


def in_halves(
    sampler: EpisodeSampler,
    labels: IntArray,
    groups: IntArray | None,
    *,
    splits: int,
    tasks: int,
    seed: int,
    apart: bool = False,
    kind: IntervalKind = "images",
) -> MoreTasks:
    """Tasks in halves of the images, for other images of the same classes.

    Where a class has too few images in a half for all queries, tasks have fewer, and there are as
    many times more of them, up to 8: otherwise the variance that is due to the tasks hides the one
    that is due to the images.

    Args:
        sampler: Draws the tasks of the run.
        labels: Class of each image, [N].
        groups: Group of each image, which no split divides; None for none, [N].
        splits: Number of splits of the images, S.
        tasks: Number of tasks of the run.
        seed: Random seed of the run.
        apart: Whether no group is on both sides of a task.
        kind: "images", or "groups" if the interval is asked for by that name.
    """
    units = np.arange(len(labels)) if groups is None else groups
    halves = Halves.draw(labels, units, splits, seed)
    least, tasks = int(halves.sizes.min()), min(tasks, HALF_TASKS)
    if tasks < 2:
        return _none(kind, f"over {kind}: a single task")
    if least <= sampler.shots:
        return _none(kind, _too_small(labels, halves, sampler.shots, groups is not None))
    drawn = sampler.ways, sampler.shots, sampler.distribution
    grouped = None
    if apart and groups is not None:
        grouped = GroupedHalves(halves, groups, *drawn, seed)
    room = grouped.room() if grouped else least - sampler.shots
    if room < 1:
        return _none(kind, f"over {kind}: a class has too few groups in a half")
    queries = min(sampler.queries, room)
    tasks *= min(math.ceil(sampler.queries / queries), _MOST_TIMES)
    if grouped:
        blocks = partial(grouped.blocks, tasks, queries)
    else:
        places = EpisodeSampler(halves.labels, *drawn[:2], queries, drawn[2])
        blocks = partial(halves.blocks, next(places.blocks(tasks, seed, tasks)))
    definition = (
        f"half-sampling of {'images' if groups is None else 'groups of images'}, {splits} splits × "
        f"{tasks} tasks, plus σ²/n over tasks, Student's t with {splits // 2} degrees of freedom"
    )
    if queries < sampler.queries:
        definition += f"; {queries} instead of {sampler.queries} queries per class in a half"

    def interval(found: FloatArray, accuracies: FloatArray) -> Interval:
        halved = differences(found, tasks)
        return Interval(kind, half_sampling(halved, accuracies), definition, halved)

    return MoreTasks(2 * splits * tasks, queries, blocks, interval)


def disjoint(
    labels: IntArray, ways: int, shots: int, seed: int, *, apart: bool = False
) -> MoreTasks:
    """Tasks that share no image, for the open interval; see `disjoint_tasks`.

    If no group may be on both sides of a task (`apart`), there is none.
    """
    if apart:
        return _none("open", "over disjoint tasks: they do not keep groups apart")
    drawn = disjoint_tasks(labels, ways, shots, seed)
    if len(drawn) < 2:
        return _none("open", f"over disjoint tasks: the images give {len(drawn)}")

    def blocks(block: int) -> Iterator[tuple[IntArray, Episodes]]:
        for first in range(0, len(drawn), block):
            numbers = np.arange(first, min(first + block, len(drawn)))
            yield numbers, drawn[first : first + block]

    def interval(found: FloatArray, accuracies: FloatArray) -> Interval:
        definition = (
            f"Student's t over {len(found)} disjoint tasks of 1 query per class, whose mean is "
            f"{found.mean():.2f}"
        )
        return Interval("open", confidence_interval(found, "student-t"), definition)

    return MoreTasks(len(drawn), 1, blocks, interval)


def _none(kind: IntervalKind, reason: str) -> MoreTasks:
    return MoreTasks(0, 0, lambda block: iter(()), lambda *_: Interval(kind, math.nan, reason))


def _too_small(labels: IntArray, halves: Halves, shots: int, grouped: bool) -> str:
    """Why the images of a class cannot be halved."""
    classes, sizes = np.unique(labels, return_counts=True)
    place = int(halves.sizes.argmin())
    found = f"class {classes[place]} has {sizes[place]}"
    if grouped:
        found += f", whose groups make halves of {halves.sizes[place]}"
    return f"over images: {2 * (shots + 1)} images of each class are needed, but {found}"
