"""One step of fine-tuning.

The loss compares all images of a batch, whichever process or part embedded them. Its gradient is
first taken with respect to the embeddings of the whole batch, then carried back through the
network part by part, each part embedded again (Gao et al., RepL4NLP 2021, arXiv:2101.06983). So a
batch in parts, or shared by processes, has the gradient of the whole batch.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lowlabel.processes.world import World, all_reduce_mean
from lowlabel.training.engine.schedules import Schedule
from lowlabel.training.engine.step import TrainingStep, distributed, synchronised
from lowlabel.training.finetuning.gathering import gather_rows, own_rows
from lowlabel.training.finetuning.losses import MetricLoss
from lowlabel.training.finetuning.model import TunedModel, leave_out_unused
from lowlabel.training.finetuning.optimizer import GROUPS, make_optimizer
from lowlabel.training.finetuning.probe import ValidationProbe
from lowlabel.training.finetuning.recipe import FinetuneRecipe
from lowlabel.training.finetuning.validation import best_epoch, chosen_epoch
from lowlabel.training.views.dataset import Sample

_LOSS_STREAM = 2**31
_PART_STREAM = 2**33


class FinetuneStep(TrainingStep):
    """Tunes a model with a loss, and keeps the weights of the best epoch.

    Args:
        model: The network, on the world's device.
        loss: The loss, on the world's device.
        labels: Class of each image, int64 [images].
        recipe: Optimiser, precision and seed.
        factors: What each step multiplies the learning rates by.
        per_epoch: Optimisation steps in an epoch.
        world: The processes that share a batch.
        normalisation: Mean and standard deviation of each channel.
        probe: Scores the validation classes; None keeps the last epoch.
    """

    def __init__(
        self,
        model: TunedModel,
        loss: MetricLoss,
        labels: NDArray[np.int64],
        recipe: FinetuneRecipe,
        factors: Schedule,
        per_epoch: int,
        world: World,
        normalisation: tuple[Sequence[float], Sequence[float]],
        probe: ValidationProbe | None,
    ) -> None:
        if not recipe.options.freeze_batch_norm:
            model.backbone = synchronised(model.backbone, world)  # type: ignore[assignment]
        self.model, self.loss = model, loss
        optimisation = recipe.optimisation
        optimizer = make_optimizer(model.backbone, model.embedding_head, loss, optimisation)
        module = nn.ModuleDict({"model": model, "loss": loss})
        mean, std = normalisation
        super().__init__(
            module, optimizer, recipe.dtype, recipe.seed, world, optimisation.clip, mean, std
        )
        if world.size > 1:
            leave_out_unused(model, recipe.options.views.global_size, world.device)
        self._network = distributed(model, world)
        self._labels = torch.from_numpy(labels.copy()).to(world.device)
        self._recipe, self._factors, self._per_epoch = recipe, factors, per_epoch
        self._rates = [group["lr"] for group in optimizer.param_groups]
        self._probe = probe
        self._scores: list[dict[str, float]] = []
        self._best: dict[str, torch.Tensor] = {}

    def gradients(self, step: int, parts: Sequence[Sample]) -> dict[str, float]:
        """Computes the gradient of the loss on the whole batch."""
        views = [self.normalise(part.views[0]) for part in parts]
        rows = torch.tensor([row for part in parts for row in part.rows], device=self.world.device)
        if len(parts) == 1:
            own = self._embed(self._network, views[0])
        else:
            with torch.no_grad():
                own = torch.cat([self._seeded(step, n, view) for n, view in enumerate(views)])
        embeddings = gather_rows(own.detach(), self.world).requires_grad_()
        labels = self._labels[gather_rows(rows, self.world)]
        torch.manual_seed(self._recipe.seed * 2**32 + _LOSS_STREAM + step)  # in every process
        loss = self.loss(embeddings, labels)
        self.scaler.scale(loss).backward()
        self._average_loss_gradients()
        assert embeddings.grad is not None
        gradient = own_rows(embeddings.grad, self.world) * self.world.size  # later averaged
        if len(parts) == 1:
            own.backward(gradient)
        else:
            self._backward_again(step, views, gradient)
        return {"loss": float(loss.detach())}

    def rates(self, step: int) -> dict[str, float]:
        """The learning rates of backbone, head and loss."""
        factor = float(self._factors[step])
        names = ("lr", "head_lr", "loss_lr")
        return {name: rate * factor for name, rate in zip(names, self._rates, strict=True)}

    def set_rates(self, step: int) -> None:
        """Sets the learning rates."""
        rates = self.rates(step).values()
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def before_update(self, step: int) -> None:
        """Leaves the backbone as it is in the first epochs, if the recipe says so."""
        if step // self._per_epoch < self._recipe.optimisation.freeze_backbone_epochs:
            for parameter in self.optimizer.param_groups[GROUPS.index("backbone")]["params"]:
                parameter.grad = None

    def end_epoch(self, epoch: int) -> dict[str, float]:
        """Scores the validation classes, and keeps the weights if no epoch was better."""
        if self._probe is None:
            return {}
        with self.precision():
            scores = self._probe.score(self.model)
        self._scores = [*self._scores[:epoch], scores]
        if best_epoch(self._scores, self._recipe.options.criterion) == epoch:
            self._best = dict(self.model.exported())
        return {f"validation_{name}": value for name, value in scores.items()}

    def exported(self) -> Mapping[str, torch.Tensor]:
        """The tensors of the chosen epoch."""
        return self._best or self.model.exported()

    def card(self) -> dict[str, Any]:
        """The chosen epoch, why it was chosen, and the scores of all."""
        return chosen_epoch(self._scores, self._recipe.options.criterion, self._recipe.epochs)

    def own_state(self) -> dict[str, Any]:
        """The scores of the epochs, and the weights of the best."""
        return {"scores": self._scores, "best": self._best}

    def load_own_state(self, state: dict[str, Any]) -> None:
        """Restores an `own_state`."""
        self._scores = state["scores"]
        self._best = {name: tensor.cpu() for name, tensor in state["best"].items()}

    def _embed(self, network: nn.Module, view: torch.Tensor) -> torch.Tensor:
        with self.precision():
            embeddings: torch.Tensor = network(view)
        return embeddings.float()

    def _seeded(self, step: int, part: int, view: torch.Tensor) -> torch.Tensor:
        """Embeds a part with draws (stochastic depth) that its second pass repeats."""
        self.seed(step + part * _PART_STREAM)
        return self._embed(self.model, view)

    def _backward_again(
        self, step: int, views: Sequence[torch.Tensor], gradient: torch.Tensor
    ) -> None:
        sizes = [len(view) for view in views]
        for number, (view, share) in enumerate(zip(views, gradient.split(sizes), strict=True)):
            is_last = number == len(views) - 1
            skips_sync = isinstance(self._network, DistributedDataParallel) and not is_last
            with self._network.no_sync() if skips_sync else nullcontext():  # type: ignore[operator]
                self.seed(step + number * _PART_STREAM)
                self._embed(self._network, view).backward(share)

    def _average_loss_gradients(self) -> None:
        """Keeps proxies equal in all processes, which computed their gradients alike."""
        if self.world.size > 1:
            for parameter in self.loss.parameters():
                if parameter.grad is not None:
                    parameter.grad = all_reduce_mean(parameter.grad)
