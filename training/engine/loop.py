"""The one training loop."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.paths import writable_dir
from lowlabel.progress import Progress
from lowlabel.training.data import BatchOrder, Sample, ViewDataset, batch_loader
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
from lowlabel.training.engine.probe import KNNProbe
from lowlabel.training.engine.step import TrainingStep
from lowlabel.training.methods.dino import DINO
from lowlabel.training.methods.dino_format import write_dino_checkpoint
from lowlabel.training.plan import TrainingPlan
from lowlabel.training.views.device_views import DrawnImages, device_views

UNREADABLE_NAME, DINO_NAME = "unreadable.txt", "dino_checkpoint.pth"
AUGMENTS = ("auto", "cpu", "device")
_PATIENCE = 100


@dataclass(frozen=True)
class RunOptions:
    """How a run is carried out; none of it changes the weights, but for rounding.

    Attributes:
        output: Folder of the checkpoint, the metrics and the exported backbone.
        workers: Processes that load images; 0 for this one.
        accumulate: Parts that each process cuts its share of a batch into, to save memory.
            Centres (and BatchNorm) are then updated with each part.
        augment: Where views are made: "cpu" (by the workers), "device", or "auto" for the device
            where it is a GPU. Both make the same views, up to rounding.
        compile: Whether torch.compile compiles the backbones.
        knn_every: Epochs between k-NN scores; 0 for none.
        log_every: Steps between lines of metrics.
        dino_format: Whether the end also writes a checkpoint as DINO's own code does.
        checkpoint_minutes: Longest time between checkpoints; each epoch's end has one anyway.
    """

    output: Path
    workers: int = 2
    accumulate: int = 1
    augment: str = "auto"
    compile: bool = False
    knn_every: int = 0
    log_every: int = 10
    dino_format: bool = False
    checkpoint_minutes: float = 10.0

    def __post_init__(self) -> None:
        if self.augment not in AUGMENTS:
            raise UnknownNameError("place of augmentation", self.augment, AUGMENTS)


class Trainer:
    """A run of a plan in a folder; it goes on from the folder's checkpoint if there is one.

    Args:
        plan: What to train.
        options: How.
        world: The processes that train together.

    Attributes:
        done: Steps done.
        train_step: What a step does, with the method in it.
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
        self._probe = _make_probe(plan, options, world)
        torch.manual_seed(plan.recipe.seed)
        method = plan.build_method().to(world.device).train()
        if options.dino_format and type(method) is not DINO:
            raise InputError(
                f"{plan.recipe.method} cannot be written in DINO's format", "Only dino can."
            )
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
            progress: Called with (images done, images in all).

        Returns:
            The path of the exported weights.

        Raises:
            TrainingError: If the loss is not finite, or the outputs collapsed.
        """
        started, before, saved = time.monotonic(), self._seconds, time.monotonic()
        batch, images = self._order.batch_size, self.plan.steps * self._order.batch_size
        with MetricsLog(self.options.output if self.world.is_main else None, self.done) as log:
            means = RunningMeans(batch)
            for parts in self._batches():
                values = self.train_step(self.done, parts)
                self._unreadable.update(index for part in parts for index in part.unreadable)
                self._watch(values)
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

    @property
    def _epoch_ended(self) -> bool:
        return self.done % self._order.steps_per_epoch == 0

    def _batches(self) -> Iterator[list[Sample]]:
        """The parts of each batch that is left, step by step."""
        recipe, steps = self.plan.recipe, self.plan.steps
        device = self.world.device
        pin = device.type == "cuda"
        on_device = self.options.augment == "device" or (pin and self.options.augment == "auto")
        views = recipe.options.views
        dataset = ViewDataset(self.plan.data.images, views, recipe.seed, on_device)
        loader = batch_loader(dataset, self._order, self.done, steps, self.options.workers, pin)
        parts: list[Sample] = []
        for part in loader:
            if isinstance(part, DrawnImages):
                part = Sample(device_views(part, device), part.geometry, part.unreadable)
            parts.append(part)
            if len(parts) == self.options.accumulate:
                yield parts
                parts = []

    def _watch(self, values: dict[str, float]) -> None:
        """Looks for a collapse, once the warm-up is over."""
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
        check_same_run(self.options.output, checkpoint, self.plan.fingerprint())
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
        folder, images = self.options.output, self.plan.data.images
        if self.world.is_main and self._unreadable:
            lines = [f"{images.paths[index]}\n" for index in sorted(self._unreadable)]
            try:
                (folder / UNREADABLE_NAME).write_text("".join(lines), encoding="utf-8")
            except OSError as error:
                raise DataError(f"cannot write {folder / UNREADABLE_NAME}: {error}") from error
        if self.world.is_main:
            card = model_card(self.plan, self._checkpoint(), self.world.device)
            export_backbone(folder, self.train_step.method, card)
            if self.options.dino_format:
                self._export_dino(folder / DINO_NAME)
        return folder / WEIGHTS_NAME

    def _export_dino(self, path: Path) -> None:
        method, recipe = self.train_step.method, self.plan.recipe
        assert isinstance(method, DINO)
        state = self.train_step.optimizer.state_dict()
        write_dino_checkpoint(path, method, state, recipe.epochs, recipe.as_dict())


def _make_probe(plan: TrainingPlan, options: RunOptions, world: World) -> KNNProbe | None:
    if not options.knn_every:
        return None
    bank, queries = plan.data.bank, plan.data.queries
    if bank is None or queries is None:
        raise InputError(
            f"no k-NN score: {plan.data.images.dataset} has no held-out labels",
            "Leave --knn-every out, or give a folder with pretext, train and val.",
        )
    if not world.is_main:
        return None
    return KNNProbe(bank, queries, plan.recipe.options.views.global_size, world.device)
