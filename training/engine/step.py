"""One optimisation step, whatever it trains."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lowlabel.errors import InputError
from lowlabel.features.backbone import is_convolutional
from lowlabel.features.transforms import IMAGENET_MEAN, IMAGENET_STD
from lowlabel.processes.world import World
from lowlabel.training.engine.monitor import check_finite
from lowlabel.training.engine.update import clip_each
from lowlabel.training.views.dataset import Sample

_SEED_STRIDE = 2**32


class TrainingStep(ABC):
    """Runs optimisation steps; holds the networks, their optimiser and its gradient scaler.

    State that a resumed run needs is in the module's `state_dict`, or in `own_state`.

    Args:
        module: Everything that is trained or kept, on the world's device.
        optimizer: Updates the module's parameters.
        dtype: "float32", or "bfloat16" or "float16" for mixed precision.
        seed: Random seed of the run.
        world: The processes that share a batch.
        clip: Largest gradient norm of each parameter tensor; 0 for none.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel.
    """

    def __init__(
        self,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        dtype: str,
        seed: int,
        world: World,
        clip: float = 0.0,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        self._module, self.optimizer = module, optimizer
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=dtype == "float16")
        self.world = world
        self._dtype, self._run_seed, self._clip = dtype, seed, clip
        self._channels_last = is_convolutional(module)
        self._mean = torch.tensor(mean, device=world.device).view(3, 1, 1) * 255
        self._std = torch.tensor(std, device=world.device).view(3, 1, 1) * 255

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
        self.seed(step)
        self.optimizer.zero_grad(set_to_none=True)
        values = self.gradients(step, parts)
        check_finite(step, loss=values["loss"])
        values["gradient_norm"] = self._update(step)
        return values

    @abstractmethod
    def gradients(self, step: int, parts: Sequence[Sample]) -> dict[str, float]:
        """Computes the gradients of a batch.

        Returns:
            The values to log, among them "loss".
        """

    @abstractmethod
    def rates(self, step: int) -> dict[str, float]:
        """The rates of a step, to log."""

    @abstractmethod
    def set_rates(self, step: int) -> None:
        """Sets the optimiser's rates for a step."""

    @abstractmethod
    def exported(self) -> Mapping[str, torch.Tensor]:
        """The tensors of the exported model."""

    def before_update(self, step: int) -> None:
        """Called when the gradients of a step are complete."""
        del step

    def after_update(self, step: int) -> None:
        """Called when the weights of a step are updated."""
        del step

    def end_epoch(self, epoch: int) -> dict[str, float]:
        """Called in every process after an epoch, and with 0 before the first.

        Returns:
            Values to log.
        """
        del epoch
        return {}

    def card(self) -> dict[str, Any]:
        """Entries of the exported model's card that the run found out."""
        return {}

    def own_state(self) -> dict[str, Any]:
        """Further state that a resumed run needs: tensors and plain data."""
        return {}

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Restores an `own_state`."""
        del state

    def state(self) -> dict[str, Any]:
        """The state that a resumed run needs: tensors and plain data."""
        return {
            "method": self._module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            **self.own_state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restores a `state`."""
        self._module.load_state_dict(state["method"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.load_own_state(state)

    def precision(self) -> torch.autocast:
        """The context of forward passes."""
        enabled = self._dtype != "float32"
        return torch.autocast(self.world.device.type, getattr(torch, self._dtype), enabled=enabled)

    def normalise(self, view: torch.Tensor) -> torch.Tensor:
        """The network's input of uint8 [B, 3, h, w], on the world's device."""
        view = view.to(self.world.device, non_blocking=True)
        view = (view.float() - self._mean) / self._std
        if self._channels_last:
            view = view.contiguous(memory_format=torch.channels_last)
        return view

    def seed(self, step: int) -> None:
        """Seeds torch from seed, step and rank alone, so that a resumed run repeats the draws.

        Checkpoints need no generator states, and a run can resume on other devices.
        """
        world = self.world
        torch.manual_seed(self._run_seed * _SEED_STRIDE + step * world.size + world.rank)

    def _update(self, step: int) -> float:
        self.set_rates(step)
        self.scaler.unscale_(self.optimizer)
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        largest = float(clip_each(trained, self._clip))
        if not self.scaler.is_enabled():
            check_finite(step, gradient_norm=largest)
        self.before_update(step)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.after_update(step)
        return largest


def synchronised(module: nn.Module, world: World) -> nn.Module:
    """Converts BatchNorm to SyncBatchNorm if several processes share a batch.

    Raises:
        InputError: If the processes compute on CPUs.
    """
    if world.size == 1 or not has_batch_norm(module):
        return module
    if world.device.type != "cuda":
        raise InputError(
            f"torch cannot synchronise this network's BatchNorm over {world.size} CPU processes",
            "Use one process, or GPUs.",
        )
    converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
    return converted


def has_batch_norm(module: nn.Module) -> bool:
    """Whether a module has BatchNorm layers."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())


def distributed(module: nn.Module, world: World) -> nn.Module:
    """The module, whose gradients are averaged over the processes if there are several."""
    if world.size == 1:
        return module
    devices = [world.device] if world.device.type == "cuda" else None
    return DistributedDataParallel(module, device_ids=devices)
