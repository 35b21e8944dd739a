"""The order of batches, which can be resumed at any step, and the loader."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from lowlabel.errors import InputError, number_of
from lowlabel.training.views.dataset import Key, Sample, ViewDataset, collate
from lowlabel.training.views.device_views import DrawnImages


@dataclass(frozen=True)
class BatchOrder:
    """Which images make up which batch, as a function of seed, epoch and step.

    Attributes:
        images: Number of images.
        batch_size: Images in a global batch; an incomplete last batch of an epoch is dropped.
        seed: Seed of the order.
        rank: Rank of this process.
        ranks: Number of processes that share a batch.
        accumulate: Number of parts that each process splits its share into.

    Raises:
        InputError: If the processes cannot share a batch equally, or the images fill no batch.
    """

    images: int
    batch_size: int
    seed: int
    rank: int = 0
    ranks: int = 1
    accumulate: int = 1

    def __post_init__(self) -> None:
        parts = self.ranks * self.accumulate
        if self.ranks > self.images:
            raise InputError(
                f"{self.ranks} processes cannot share {number_of(self.images, 'images')}",
                f"Start at most {number_of(self.images, 'processes')}.",
            )
        if self.batch_size < 1:
            raise InputError(f"a batch must have at least 1 image, not {self.batch_size}")
        if self.batch_size % parts:
            raise InputError(
                f"a batch of {number_of(self.batch_size, 'images')} cannot be split equally over "
                f"{number_of(self.ranks, 'processes')} in {self.accumulate} parts each",
                f"To keep steps of {self.batch_size:,} images, {self._equal()}. Else give a "
                f"--batch-size that is a multiple of {parts}.",
            )
        if self.images < self.batch_size:
            raise InputError(
                f"{number_of(self.images, 'images')} cannot fill a batch of {self.batch_size}",
                f"Give --batch-size {max(parts, self.images // parts * parts)} or less.",
            )

    def _equal(self) -> str:
        """The nearest number of processes, and of parts, that the batch can be split into."""
        size, parts = self.batch_size, self.ranks * self.accumulate
        ranks = next(n for n in range(self.ranks, 0, -1) if size % n == 0)
        whole = (n for n in range(-(-parts // ranks), size + 1) if size % (ranks * n) == 0)
        accumulate = next(whole, size // ranks)
        return f"start {ranks} process{'es' * (ranks > 1)} with --accumulate {accumulate}"

    @property
    def steps_per_epoch(self) -> int:
        """Optimisation steps in an epoch."""
        return self.images // self.batch_size

    def epoch_order(self, epoch: int) -> NDArray[np.int64]:
        """Indices of an epoch's images, batch after batch."""
        return np.random.default_rng((self.seed, epoch)).permutation(self.images)

    def from_step(self, step: int, steps: int) -> Iterator[list[Key]]:
        """Yields the keys of each part of this process's batches, from `step` to `steps` - 1."""
        for first in range(step, steps):
            epoch, batch = divmod(first, self.steps_per_epoch)
            if first == step or batch == 0:
                order = self.epoch_order(epoch)
            chosen = order[batch * self.batch_size :][: self.batch_size]
            keys = [Key(epoch, batch, int(index)) for index in chosen[self.rank :: self.ranks]]
            part = len(keys) // self.accumulate
            for start in range(0, len(keys), part):
                yield keys[start : start + part]


class _BatchSampler:
    """A batch sampler for `DataLoader` that starts at a step."""

    def __init__(self, order: BatchOrder, step: int, steps: int) -> None:
        self.order, self.step, self.steps = order, step, steps

    def __iter__(self) -> Iterator[list[Key]]:
        return self.order.from_step(self.step, self.steps)

    def __len__(self) -> int:
        return (self.steps - self.step) * self.order.accumulate


def batch_loader(
    dataset: ViewDataset, order: BatchOrder, step: int, steps: int, workers: int, pin: bool
) -> DataLoader[Sample | DrawnImages]:
    """Loads the batches from `step` to `steps` - 1 in their parts.

    Args:
        dataset: The views.
        order: The order of the batches.
        step: First step.
        steps: Number of steps in the run.
        workers: Processes that load images; 0 loads them in this process.
        pin: Whether to copy batches to pinned memory.
    """
    return DataLoader(
        dataset,
        batch_sampler=_BatchSampler(order, step, steps),
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin,
        prefetch_factor=2 if workers else None,
        worker_init_fn=_without_farewell,
    )


def _without_farewell(worker: int) -> None:
    """Spares the traceback of a process that hands over images to one that a signal has ended.

    Errors of loading are passed on to that process; only its threads that send tensors tell theirs.
    """
    told = sys.excepthook

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, OSError | EOFError):
            told(kind, error, trace)

    sys.excepthook = tell
