"""The training loop: steps, logging, checkpoints and the final export."""

import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from lowlabel.datasets.io.pixels import with_refusal
from lowlabel.paths import writable_dir, write_file
from lowlabel.progress import Progress
from lowlabel.training.engine.batches import BatchOrder, batch_loader
from lowlabel.training.engine.checkpoint import (
    Checkpoint,
    check_same_run,
    load_checkpoint,
    save_checkpoint,
)
from lowlabel.training.engine.distributed import World, gather_sets
from lowlabel.training.engine.export import WEIGHTS_NAME, export_backbone, model_card
from lowlabel.training.engine.metrics import MetricsLog, RunningMeans
from lowlabel.training.engine.monitor import Monitor
from lowlabel.training.engine.options import RunOptions
from lowlabel.training.engine.probe import make_probe
from lowlabel.training.engine.step import TrainingStep
from lowlabel.training.plan import TrainingPlan
from lowlabel.training.views.dataset import Sample, ViewDataset
from lowlabel.training.views.device_views import DrawnImages, device_views

UNREADABLE_NAME = "unreadable.txt"
_PATIENCE = 100


class Trainer:
    """Runs a plan in a folder, and resumes from the folder's checkpoint if there is one.

    Args:
        plan: What to train.
        options: How to run it.
        world: The processes that train together.

    Attributes:
        done: Number of finished steps.
        train_step: The training step; holds the method and the optimiser.
    """

    def __init__(self, plan: TrainingPlan, options: RunOptions, world: World) -> None:
        self.plan, self.options, self.world = plan, options, world
        writable_dir(options.output)
        self._order = BatchOrder(
            len(plan.data.images),
            plan.recipe.batch_size,
            plan.recipe.seed,
            world.rank,
            world.size,
            options.accumulate,
        )
        self._probe = make_probe(plan, world) if options.knn_every else None
        torch.manual_seed(plan.recipe.seed)
        method = plan.build_method().to(world.device).train()
        if options.compile:
            for network in (method.student, method.teacher):
                network.get_submodule("backbone").compile()
        self._monitor = Monitor(method.uniform_loss, method.largest_entropy, _PATIENCE)
        self._schedules = plan.schedules()
        self.train_step = TrainingStep(method, plan.recipe, self._schedules, world, self._monitor)
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
            for parts in self.batches():
                values = self.train_step(self.done, parts)
                self._unreadable.update(index for part in parts for index in part.unreadable)
                self._check_collapse(values)
                means.add(values)
                self.done += 1
                self._seconds = before + time.monotonic() - started
                self._log(log, means)
                if progress is not None:
                    progress(self.done * batch, images)
                overdue = time.monotonic() - saved > 60 * self.options.checkpoint_minutes
                if self._epoch_ended or overdue:
                    self._save()
                    saved = time.monotonic()
        return self._export()

    def batches(self) -> Iterator[list[Sample]]:
        """Yields the remaining batches, one per step, each as a list of its parts."""
        recipe, device = self.plan.recipe, self.world.device
        is_gpu = device.type == "cuda"
        on_device = self.options.augment == "device" or (is_gpu and self.options.augment == "auto")
        dataset = ViewDataset(
            self.plan.data.images, recipe.options.views, recipe.seed, only_drawn=on_device
        )
        loader = batch_loader(
            dataset, self._order, self.done, self.plan.steps, self.options.workers, pin=is_gpu
        )
        parts: list[Sample] = []
        for part in loader:
            if isinstance(part, DrawnImages):
                part = Sample(device_views(part, device), part.geometry, part.unreadable)
            parts.append(part)
            if len(parts) == self.options.accumulate:
                yield parts
                parts = []

    @property
    def _epoch_ended(self) -> bool:
        return self.done % self._order.steps_per_epoch == 0

    def _check_collapse(self, values: dict[str, float]) -> None:
        """Checks for collapse after the warm-up and the first epoch."""
        warmup = self.plan.recipe.optimisation.warmup_epochs * self._order.steps_per_epoch
        if self.done >= max(warmup, self._order.steps_per_epoch):
            self._monitor.check_collapse(self.done, values["loss"], values)

    def _log(self, log: MetricsLog, means: RunningMeans) -> None:
        step = self.done - 1
        extra: dict[str, float] = {}
        every, per_epoch = self.options.knn_every, self._order.steps_per_epoch
        if self._probe and self._epoch_ended and self.done // per_epoch % every == 0:
            backbone = self.train_step.method.backbone_for_export()
            extra["knn_top1"] = self._probe.score(backbone)
        if self.done % self.options.log_every == 0 or self._epoch_ended:
            rates = {
                "epoch": self.done / per_epoch,
                "lr": float(self._schedules.lr[step]),
                "weight_decay": float(self._schedules.weight_decay[step]),
                "teacher_momentum": float(self._schedules.momentum[step]),
            }
            log.write(self.done, {**rates, **means.take(), **extra})

    def _resume(self) -> None:
        checkpoint = load_checkpoint(self.options.output, self.world.device)
        if checkpoint is None:
            return
        if self.world.is_main:
            fingerprint, images = self.plan.fingerprint(), self.plan.data.images
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
        if self._epoch_ended:
            self._unreadable = gather_sets(self._unreadable)
        if self.world.is_main:
            save_checkpoint(self.options.output, self._checkpoint())

    def _export(self) -> Path:
        folder = self.options.output
        if self.world.is_main:
            if self._unreadable:
                self._list_unreadable(folder / UNREADABLE_NAME)
            card = model_card(self.plan, self._checkpoint(), self.world.device)
            export_backbone(folder, self.train_step.method, card)
        return folder / WEIGHTS_NAME

    def _list_unreadable(self, path: Path) -> None:
        images = self.plan.data.images
        names = [images.paths[index] for index in sorted(self._unreadable)]
        write_file(path, "".join(f"{with_refusal(images.root, name)}\n" for name in names))
        warnings.warn(
            f"{len(names):,} of {len(images):,} images could not be read and were "
            f"replaced by others; {path} lists them",
            stacklevel=2,
        )
