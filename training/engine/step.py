"""One optimisation step."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lowlabel.errors import InputError
from lowlabel.features.backbone import is_convolutional
from lowlabel.features.transforms import IMAGENET_MEAN, IMAGENET_STD
from lowlabel.training.engine.distributed import World, all_reduce_mean
from lowlabel.training.engine.monitor import Monitor
from lowlabel.training.engine.schedules import Schedules
from lowlabel.training.engine.update import clip_each, make_optimizer, move_teacher, set_rates
from lowlabel.training.methods.base import PretrainMethod
from lowlabel.training.recipe import Recipe
from lowlabel.training.views.dataset import Sample

_SEED_STRIDE = 2**32


class TrainingStep:
    """Runs optimisation steps; holds the method, its optimiser and its gradient scaler.

    Args:
        method: The method, on the world's device.
        recipe: Optimiser, precision and seed.
        schedules: The rates.
        world: The processes that share a batch.
        monitor: Checks that the loss and the gradients are finite.
    """

    def __init__(
        self,
        method: PretrainMethod,
        recipe: Recipe,
        schedules: Schedules,
        world: World,
        monitor: Monitor,
    ) -> None:
        self.method = _synchronised(method, world)
        self.optimizer = make_optimizer(method.student, recipe.optimisation)
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=recipe.dtype == "float16")
        self._recipe, self._schedules, self._world = recipe, schedules, world
        self._monitor = monitor
        self._module = _distributed(method, world)
        self._channels_last = is_convolutional(method)
        self._mean = torch.tensor(IMAGENET_MEAN, device=world.device).view(3, 1, 1) * 255
        self._std = torch.tensor(IMAGENET_STD, device=world.device).view(3, 1, 1) * 255

    def __call__(self, step: int, parts: Sequence[Sample]) -> dict[str, float]:
        """Updates the weights with one batch.

        Args:
            step: Number of the step, from 0.
            parts: The batch, in one or several parts.

        Returns:
            The values to log.

        Raises:
            TrainingError: If the loss or a gradient is not finite. The weights are unchanged.
        """
        epoch = step // self._schedules.steps_per_epoch
        self._seed(step)
        self.optimizer.zero_grad(set_to_none=True)
        temperature = float(self._schedules.temperature[epoch])
        logs = [self._backward(part, temperature, n, len(parts)) for n, part in enumerate(parts)]
        values = {name: sum(log[name] for log in logs) / len(logs) for name in logs[0]}
        self._monitor.check_finite(step, loss=values["loss"])
        values["gradient_norm"] = self._update(step, epoch)
        return values

    def state(self) -> dict[str, Any]:
        """The state that a resumed run needs: tensors and plain data."""
        return {
            "method": self.method.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restores a `state`."""
        self.method.load_state_dict(state["method"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])

    def _backward(
        self, part: Sample, temperature: float, number: int, parts: int
    ) -> dict[str, float]:
        views = [self._normalise(view) for view in part.views]
        device, dtype = self._world.device.type, self._recipe.dtype
        precision = torch.autocast(device, getattr(torch, dtype), enabled=dtype != "float32")
        is_last = number == parts - 1
        skips_sync = isinstance(self._module, DistributedDataParallel) and not is_last
        with self._module.no_sync() if skips_sync else nullcontext():  # type: ignore[operator]
            with precision:
                loss, logs = self._module(views, part.geometry, temperature)
            self.scaler.scale(loss / parts).backward()
        logged = {"loss": loss.detach(), **logs}
        values = [torch.as_tensor(value, device=loss.device).float() for value in logged.values()]
        return dict(zip(logged, all_reduce_mean(torch.stack(values)).tolist(), strict=True))

    def _update(self, step: int, epoch: int) -> float:
        schedules, optimisation = self._schedules, self._recipe.optimisation
        set_rates(self.optimizer, float(schedules.lr[step]), float(schedules.weight_decay[step]))
        self.scaler.unscale_(self.optimizer)
        largest = float(clip_each(list(self.method.student.parameters()), optimisation.clip))
        if not self.scaler.is_enabled():
            self._monitor.check_finite(step, gradient_norm=largest)
        if epoch < optimisation.freeze_last_layer:
            for parameter in self.method.last_layers():
                parameter.grad = None
        self.scaler.step(self.optimizer)
        self.scaler.update()
        momentum = float(schedules.momentum[step])
        move_teacher(self.method.teacher, self.method.student, momentum)
        return largest

    def _normalise(self, view: torch.Tensor) -> torch.Tensor:
        view = view.to(self._world.device, non_blocking=True)
        view = (view.float() - self._mean) / self._std
        if self._channels_last:
            view = view.contiguous(memory_format=torch.channels_last)
        return view

    def _seed(self, step: int) -> None:
        """Seeds torch from seed, step and rank alone, so that a resumed run repeats the draws.

        Checkpoints need no generator states, and a run can resume on other devices.
        """
        seed = self._recipe.seed * _SEED_STRIDE + step * self._world.size + self._world.rank
        torch.manual_seed(seed)


def _synchronised(method: PretrainMethod, world: World) -> PretrainMethod:
    """Converts BatchNorm to SyncBatchNorm if several processes share a batch."""
    has_batch_norm = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in method.modules())
    if world.size == 1 or not has_batch_norm:
        return method
    if world.device.type != "cuda":
        raise InputError(
            f"torch cannot synchronise this network's BatchNorm over {world.size} CPU processes",
            "Use one process, or GPUs.",
        )
    method.student = nn.SyncBatchNorm.convert_sync_batchnorm(method.student)
    method.teacher = nn.SyncBatchNorm.convert_sync_batchnorm(method.teacher)
    return method


def _distributed(method: PretrainMethod, world: World) -> nn.Module:
    if world.size == 1:
        return method
    devices = [world.device] if world.device.type == "cuda" else None
    return DistributedDataParallel(method, device_ids=devices)
