"""Tuning of an embedding head on features that stay as they are."""

import math
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lowlabel.features.models.embedding_head import EmbeddingHead, HeadShape
from lowlabel.progress import Progress
from lowlabel.training.engine.monitor import TrainingError
from lowlabel.training.engine.update import clip_each
from lowlabel.training.finetuning.batches import ClassBalancedOrder
from lowlabel.training.finetuning.losses import MetricLoss, build_loss
from lowlabel.training.finetuning.optimizer import factors, make_optimizer
from lowlabel.training.finetuning.recipe import FinetuneRecipe
from lowlabel.training.finetuning.validation import best_epoch, validation_scores


@dataclass(frozen=True)
class Labelled:
    """Features float32 [N, D] with labels int64 [N] that count from 0."""

    features: Tensor
    labels: Tensor

    def scaled(self, scale: float, device: torch.device) -> "Labelled":
        """The same on a device, with features divided by `scale`."""
        return Labelled(self.features.to(device) / scale, self.labels.to(device))


@dataclass(frozen=True)
class TunedHead:
    """A head, and how its epoch was chosen.

    Attributes:
        head: The head after the chosen epoch, on the CPU.
        epoch: The chosen epoch; 0 is the head before tuning.
        scores: Recall@1 and MAP@R of the validation classes after each epoch, from 0 on; empty if
            there are none.
        losses: Mean loss of each epoch, from 1 on.
        seconds: Wall time.
    """

    head: EmbeddingHead
    epoch: int
    scores: list[dict[str, float]]
    losses: list[float]
    seconds: float


def tune_head(
    learned: Labelled,
    validation: Labelled | None,
    recipe: FinetuneRecipe,
    shape: HeadShape,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> TunedHead:
    """Tunes a head on the learned classes and keeps the epoch that the others choose.

    A head of one layer starts at the principal axes of the features, which are not centred: epoch 0
    is the frozen model, as far as the dimensions allow. Without validation classes the last epoch
    is kept.

    Args:
        learned: Features of the classes that the loss is computed on.
        validation: Features of other classes; None for none.
        recipe: How to tune.
        shape: Form of the head.
        device: Device to compute on; the CPU by default.
        progress: Called with (finished epochs, epochs).

    Raises:
        InputError: If the classes do not fill a batch, or an option is not possible.
        UserError: If the loss needs pytorch-metric-learning and it is not installed.
        TrainingError: If the loss is no longer finite.
    """
    started, device = time.perf_counter(), device or torch.device("cpu")
    order = ClassBalancedOrder(
        len(learned.labels),
        recipe.batch_size,
        recipe.seed,
        labels=learned.labels.numpy(),
        images_per_class=recipe.options.images_per_class,
    )
    scale = float(learned.features.square().mean().sqrt()) or 1.0
    learned = learned.scaled(scale, device)
    held_out = validation.scaled(scale, device) if validation else None
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(recipe.seed)
        head = start_head(learned.features, shape).to(device)
        classes = int(learned.labels.max()) + 1
        loss = build_loss(recipe.loss, classes, shape.dimension, recipe.options.miner).to(device)
        scores = [_score(head, held_out)] if held_out else []
        losses, kept = [], (0, deepcopy(head.state_dict()))
        for epoch, mean in enumerate(_epochs(head, loss, learned, order, recipe), start=1):
            losses.append(mean)
            if held_out:
                scores.append(_score(head, held_out))
            if not held_out or best_epoch(scores, recipe.options.criterion) == epoch:
                kept = epoch, deepcopy(head.state_dict())
            if progress:
                progress(epoch, recipe.epochs)
    head.load_state_dict(kept[1])
    return TunedHead(
        _unscaled(head.cpu(), scale), kept[0], scores, losses, time.perf_counter() - started
    )


def _epochs(
    head: EmbeddingHead,
    loss: MetricLoss,
    learned: Labelled,
    order: ClassBalancedOrder,
    recipe: FinetuneRecipe,
) -> Iterator[float]:
    """Runs the epochs, and yields the mean loss of each."""
    o, per_epoch = recipe.optimisation, order.steps_per_epoch
    times = factors(o, recipe.epochs * per_epoch, per_epoch).reshape(recipe.epochs, per_epoch)
    optimizer = make_optimizer(nn.Identity(), head, loss, o)
    rates = [group["lr"] for group in optimizer.param_groups]
    for epoch in range(recipe.epochs):
        rows = torch.from_numpy(order.epoch_order(epoch)).to(learned.labels.device)
        total = torch.zeros((), device=learned.labels.device)
        for batch, factor in zip(rows.split(recipe.batch_size), times[epoch], strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * float(factor)
            value = loss(head(learned.features[batch]), learned.labels[batch])
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            if o.clip:
                clip_each([*head.parameters()], o.clip)
            optimizer.step()
            total += value.detach()
        mean = float(total) / per_epoch
        if not math.isfinite(mean):
            raise TrainingError(
                f"the loss {recipe.loss} is {mean} in epoch {epoch + 1}",
                f"Lower --set lr={o.head_lr or o.lr:g} or --set loss_lr={o.loss_lr:g}.",
            )
        yield mean


def start_head(features: Tensor, shape: HeadShape) -> EmbeddingHead:
    """The head before tuning."""
    width = features.shape[1]
    head = EmbeddingHead(width, shape)
    if shape.layers == 1:
        layer, count = head.layers[0], min(shape.dimension, width)
        axes = torch.linalg.eigh(features.T @ features)[1].T.flip(0)[:count].cpu()
        largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
        weight = torch.zeros(shape.dimension, width)
        weight[:count] = axes * largest.sign()  # one of two signs, which solvers choose by chance
        _copy(layer, weight, torch.zeros(shape.dimension))
    return head


def _copy(layer: nn.Module, weight: Tensor, bias: Tensor) -> None:
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)


@torch.no_grad()
def _score(head: EmbeddingHead, held_out: Labelled) -> dict[str, float]:
    labels = held_out.labels
    return validation_scores(head(held_out.features), labels, labels.device)


def _unscaled(head: EmbeddingHead, scale: float) -> EmbeddingHead:
    """The head that takes the features as they are, not divided by `scale`."""
    first = head.layers[0]
    assert isinstance(first, nn.Linear)
    _copy(first, first.weight / scale, first.bias)
    return head.eval().requires_grad_(False)
