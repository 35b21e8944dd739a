"""Scores of many tasks of one method, by blocks, on all cores of a CPU or on a GPU."""

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.fewshot.decisions import accuracies
from lowlabel.fewshot.episodes import Episodes
from lowlabel.fewshot.methods import Method
from lowlabel.fewshot.preparation.prepared import Prepared
from lowlabel.workers import cpu_workers, run_parallel

_BLOCK_BYTES = 256 * 2**20  # of a GPU, or of all threads of a CPU

IntArray = NDArray[np.int64]
Blocks = Callable[[int], Iterator[tuple[IntArray, Episodes]]]


@dataclass(frozen=True)
class TaskScorer:
    """A method with the features that it is scored on.

    Attributes:
        method: The method.
        prepared: Features and base classes as the method takes them.
        ways: Classes per task.
        shots: Labelled images per class.
        seed: Random seed of the tasks.
        task_block: Number of tasks computed together; None to fit the memory.
        tell: Called with the number of tasks after each block.
    """

    method: Method
    prepared: Prepared
    ways: int
    shots: int
    seed: int
    task_block: int | None
    tell: Callable[[int], None]

    def accuracies(self, blocks: Blocks, tasks: int, queries: int) -> NDArray[np.float64]:
        """Accuracy of each task in percent, in the order of `blocks`, [tasks].

        Args:
            blocks: Gives blocks of numbered tasks of at most the size that it is called with.
            tasks: Number of tasks of all blocks.
            queries: Images per class to classify, on average.
        """
        if not tasks:
            return np.empty(0)
        rows_per_task = self.method.rows_per_task(self.ways, self.shots, queries)
        independent = self.method.blocks_are_independent
        workers = cpu_workers(self.prepared.features.device) if independent else 1
        default = min(self._default_block(rows_per_task, workers), math.ceil(tasks / workers))
        numbered = enumerate(blocks(self.task_block or default))
        found: dict[int, NDArray[np.float64]] = {}
        with closing(run_parallel(self._score, numbered, workers)) as work:
            for place, scored in work:
                found[place] = scored
                self.tell(len(scored))
        return np.concatenate([found[place] for place in sorted(found)])

    @torch.inference_mode()  # set per thread
    def _score(
        self, numbered: tuple[int, tuple[IntArray, Episodes]]
    ) -> tuple[int, NDArray[np.float64]]:
        place, (tasks, episodes) = numbered
        seeds = [(self.seed, task) for task in tasks.tolist()]
        return place, accuracies(self.method, self.prepared, episodes, seeds)

    def _default_block(self, rows_per_task: int, workers: int) -> int:
        features, limit = self.prepared.features, _BLOCK_BYTES // workers
        if features.device.type == "cpu":
            limit = min(limit, self.method.block_mib * 2**20)
        # A transductive method may compare all images of a task with each other.
        width = max(features.shape[1], rows_per_task * self.method.transductive)
        return max(1, limit // (rows_per_task * width * features.element_size()))
