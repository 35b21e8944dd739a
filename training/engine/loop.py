"""The training loop: steps, logging, checkpoints and the final export."""

import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from lowlabel.datasets.io.pixels import with_refusal
from lowlabel.paths import writable_dir, write_file
from lowlabel.processes.world import World, gather_sets
from lowlabel.progress import Progress
from lowlabel.training.engine.batches import batch_loader
from lowlabel.training.engine.checkpoint import (
    Checkpoint,
    check_same_run,
    load_checkpoint,
    save_checkpoint,
)
from lowlabel.training.engine.export import (
    WEIGHTS_NAME,
    check_no_other_weights,
    export_weights,
    model_card,
)
from lowlabel.training.engine.metrics import MetricsLog, RunningMeans
from lowlabel.training.engine.monitor import TrainingError
from lowlabel.training.engine.options import RunOptions
from lowlabel.training.engine.run_plan import RunPlan
from lowlabel.training.views.dataset import Sample, ViewDataset
from lowlabel.training.views.device_views import DrawnImages, device_views

UNREADABLE_NAME = "unreadable.txt"
KEPT = "checkpoints"  # folder of the epochs that are kept


class Trainer:
    """Runs a plan in a folder, and resumes from the folder's checkpoint if there is one.

    Args:
        plan: What to train.
        options: How to run it.
        world: The processes that train together.

    Attributes:
        done: Number of finished steps.
        train_step: The training step; holds the networks and the optimiser.
    """

    def __init__(self, plan: RunPlan, options: RunOptions, world: World) -> None:
        self.plan, self.options, self.world = plan, options, world
        writable_dir(options.output)
        self._order = plan.order(world.rank, world.size, options.accumulate)
        self.train_step = plan.build_step(options, world)
        self.done = 0
        self._seconds = 0.0
        self._unreadable: set[int] = set()
        self._resume()

    def train(self, progress: Progress | None = None) -> Path:
        """Trains to the end and exports the backbone.

        Args:
            progress: Called with (images done, images in total).

        Returns:
            The path of the exported weights.

        Raises:
            TrainingError: If the loss is not finite, or training has collapsed.
        """
        started, before, saved = time.monotonic(), self._seconds, time.monotonic()
        batch, images = self._order.batch_size, self.plan.steps * self._order.batch_size
        with MetricsLog(self.options.output if self.world.is_main else None, self.done) as log:
            means = RunningMeans(batch)
            if self.done == 0:
                self._log_start(log)
                self._keep()
            for parts in self.batches():
                values = self._step(parts)
                self._unreadable.update(index for part in parts for index in part.unreadable)
                means.add(values)
                self.done += 1
                self._seconds = before + time.monotonic() - started
                self._log(log, means)
                if progress is not None:
                    progress(self.done * batch, images)
                overdue = time.monotonic() - saved > 60 * self.options.checkpoint_minutes
                if self._epoch_ended:
                    self._unreadable = gather_sets(self._unreadable)
                    self._keep()
                if self._epoch_ended or overdue:
                    self._save()
                    saved = time.monotonic()
        return self._export()

    def _step(self, parts: list[Sample]) -> dict[str, float]:
        try:
            return self.train_step(self.done, parts)
        except torch.cuda.OutOfMemoryError as error:
            order = self._order
            share = order.batch_size // order.ranks
            more = next((n for n in range(order.accumulate + 1, share + 1) if share % n == 0), 0)
            raise TrainingError(
                f"{share // order.accumulate} images at a time do not fit into the memory of "
                f"{self.world.device}",
                f"--accumulate {more} keeps steps of {order.batch_size} images: give it and "
                "repeat the command, which resumes."
                if more
                else "Give a smaller --arch or smaller views, in another --output.",
            ) from error

    def batches(self) -> Iterator[list[Sample]]:
        """Yields the remaining batches, one per step, each as a list of its parts."""
        plan, device = self.plan, self.world.device
        is_gpu = device.type == "cuda"
        on_device = self.options.augment == "device" or (is_gpu and self.options.augment == "auto")
        dataset = ViewDataset(plan.images, plan.views, plan.seed, only_drawn=on_device)
        loader = batch_loader(
            dataset, self._order, self.done, plan.steps, self.options.workers, pin=is_gpu
        )
        parts: list[Sample] = []
        for part in loader:
            if isinstance(part, DrawnImages):
                views = device_views(part, device, plan.views.interpolation)
                part = Sample(views, part.geometry, part.unreadable, part.rows)
            parts.append(part)
            if len(parts) == self.options.accumulate:
                yield parts
                parts = []

    @property
    def _epoch_ended(self) -> bool:
        return self.done % self._order.steps_per_epoch == 0

    def _log_start(self, log: MetricsLog) -> None:
        if scores := self.train_step.end_epoch(0):
            log.write(0, {"epoch": 0.0, **scores})

    def _log(self, log: MetricsLog, means: RunningMeans) -> None:
        per_epoch = self._order.steps_per_epoch
        extra: dict[str, float] = {}
        if self._epoch_ended:
            extra = self.train_step.end_epoch(self.done // per_epoch)
        if self.done % self.options.log_every == 0 or self._epoch_ended:
            rates = {"epoch": self.done / per_epoch, **self.train_step.rates(self.done - 1)}
            log.write(self.done, {**rates, **means.take(), **extra})

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.options.output, self.world.device)
        if checkpoint is None:
            if self.world.is_main:
                check_no_other_weights(self.options.output, self.plan)
            return
        if self.world.is_main:
            fingerprint, images = self.plan.fingerprint(), self.plan.images
            check_same_run(self.options.output, checkpoint, fingerprint, images.manifest)
        self.train_step.load_state(checkpoint.state)
        self.done, self._seconds = checkpoint.step, checkpoint.seconds
        self._unreadable = set(checkpoint.unreadable)

    def _checkpoint(self) -> Checkpoint:
        fingerprint, unreadable = self.plan.fingerprint(), sorted(self._unreadable)
        return Checkpoint(
            fingerprint, self.done, self._seconds, unreadable, self.train_step.state()
        )

    def _save(self) -> None:
        if self.world.is_main:
            save_checkpoint(self.options.output, self._checkpoint())

    def _keep(self) -> None:
        """Exports the epochs that `save_every` keeps; before the checkpoint, so that none lacks."""
        epoch, every = self.done // self._order.steps_per_epoch, self.options.save_every
        if every and self.world.is_main and (epoch % every == 0 or epoch == self.plan.epochs):
            folder = writable_dir(self.options.output / KEPT)
            card = self._card() | {"name": f"{self.options.output.resolve().name} epoch {epoch}"}
            export_weights(folder, self.train_step.exported(), card, f"epoch_{epoch:03d}")

    def _export(self) -> Path:
        folder = self.options.output
        if self.world.is_main:
            if self._unreadable:
                self._list_unreadable(folder / UNREADABLE_NAME)
            export_weights(folder, self.train_step.exported(), self._card())
        return folder / WEIGHTS_NAME

    def _card(self) -> dict[str, Any]:
        found = self.train_step.card()
        return model_card(self.plan, self._checkpoint(), self.world.device, found)

    def _list_unreadable(self, path: Path) -> None:
        images = self.plan.images
        names = [images.paths[index] for index in sorted(self._unreadable)]
        write_file(path, "".join(f"{with_refusal(images.root, name)}\n" for name in names))
        warnings.warn(
            f"{len(names):,} of {len(images):,} images could not be read and were "
            f"replaced by others; {path} lists them",
            stacklevel=2,
        )
