"""One step of pretraining: the student's gradients, then the teacher's move."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext

import torch
from torch.nn.parallel import DistributedDataParallel

from lowlabel.processes.world import World, all_reduce_mean
from lowlabel.training.engine.schedules import Schedules
from lowlabel.training.engine.step import TrainingStep, distributed, synchronised
from lowlabel.training.engine.update import make_optimizer, move_teacher, set_rates
from lowlabel.training.methods.base import PretrainMethod
from lowlabel.training.methods.collapse import CollapseMonitor
from lowlabel.training.methods.losses import Centre
from lowlabel.training.methods.probe import KNNProbe
from lowlabel.training.recipe import Recipe
from lowlabel.training.views.dataset import Sample

_PATIENCE = 100


class PretrainStep(TrainingStep):
    """Trains a student towards its teacher, watches for collapse, and scores the teacher.

    Args:
        method: The method, on the world's device.
        recipe: Optimiser, precision and seed.
        schedules: The rates.
        world: The processes that share a batch.
        probe: k-NN on held-out labels, in the main process; None for none.
        probe_every: Epochs between its scores.
    """

    def __init__(
        self,
        method: PretrainMethod,
        recipe: Recipe,
        schedules: Schedules,
        world: World,
        probe: KNNProbe | None = None,
        probe_every: int = 0,
    ) -> None:
        self.method = method
        method.student = synchronised(method.student, world)
        method.teacher = synchronised(method.teacher, world)
        optimisation = recipe.optimisation
        optimizer = make_optimizer(method.student, optimisation)
        super().__init__(method, optimizer, recipe.dtype, recipe.seed, world, optimisation.clip)
        self._network = distributed(method, world)
        self._schedules, self._optimisation = schedules, optimisation
        self._probe, self._probe_every = probe, probe_every
        per_epoch = schedules.steps_per_epoch
        self._watched_from = max(optimisation.warmup_epochs * per_epoch, per_epoch)
        self._monitor = CollapseMonitor(method.uniform_loss, method.largest_entropy, _PATIENCE)

    def __call__(self, step: int, parts: Sequence[Sample]) -> dict[str, float]:
        """Updates the weights with one batch; see `TrainingStep`.

        Raises:
            TrainingError: If training diverged, or collapsed after the warm-up.
        """
        values = super().__call__(step, parts)
        if step >= self._watched_from:
            self._monitor.check(step, values["loss"], values)
        return values

    def gradients(self, step: int, parts: Sequence[Sample]) -> dict[str, float]:
        """Adds up the gradients of the parts; the centres move once, after the last."""
        for module in self.method.modules():
            if isinstance(module, Centre):
                module.parts = len(parts)
        temperature = float(self._schedules.temperature[self._epoch(step)])
        logs = [self._backward(part, temperature, n, len(parts)) for n, part in enumerate(parts)]
        return {name: sum(log[name] for log in logs) / len(logs) for name in logs[0]}

    def rates(self, step: int) -> dict[str, float]:
        """Learning rate, weight decay, and the teacher's momentum and temperature."""
        schedules = self._schedules
        return {
            "lr": float(schedules.lr[step]),
            "weight_decay": float(schedules.weight_decay[step]),
            "teacher_momentum": float(schedules.momentum[step]),
            "teacher_temperature": float(schedules.temperature[self._epoch(step)]),
        }

    def set_rates(self, step: int) -> None:
        """Sets learning rate and weight decay."""
        schedules = self._schedules
        set_rates(self.optimizer, float(schedules.lr[step]), float(schedules.weight_decay[step]))

    def before_update(self, step: int) -> None:
        """Freezes the head's last layer in the first epochs."""
        if self._epoch(step) < self._optimisation.freeze_last_layer:
            for parameter in self.method.last_layers():
                parameter.grad = None

    def after_update(self, step: int) -> None:
        """Moves the teacher."""
        momentum = float(self._schedules.momentum[step])
        move_teacher(self.method.teacher, self.method.student, momentum)

    def end_epoch(self, epoch: int) -> dict[str, float]:
        """The teacher's k-NN accuracy, in the epochs that have one."""
        if not (self._probe and epoch) or epoch % self._probe_every:
            return {}
        return {"knn_top1": self._probe.score(self.method.backbone_for_export())}

    def exported(self) -> Mapping[str, torch.Tensor]:
        """The teacher's backbone."""
        state: Mapping[str, torch.Tensor] = self.method.backbone_for_export().state_dict()
        return state

    def _epoch(self, step: int) -> int:
        return step // self._schedules.steps_per_epoch

    def _backward(
        self, part: Sample, temperature: float, number: int, parts: int
    ) -> dict[str, float]:
        views = [self.normalise(view) for view in part.views]
        is_last = number == parts - 1
        skips_sync = isinstance(self._network, DistributedDataParallel) and not is_last
        with self._network.no_sync() if skips_sync else nullcontext():  # type: ignore[operator]
            with self.precision():
                loss, logs = self._network(views, part.geometry, temperature)
            self.scaler.scale(loss / parts).backward()
        logged = {"loss": loss.detach(), **logs}
        values = [torch.as_tensor(value, device=loss.device).float() for value in logged.values()]
        return dict(zip(logged, all_reduce_mean(torch.stack(values)).tolist(), strict=True))
