"""Tuning of an embedding head on features that stay as they are."""

import math
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lowlabel.errors import InputError
from lowlabel.features.models.embedding_head import EmbeddingHead, HeadShape
from lowlabel.progress import Progress
from lowlabel.training.engine.monitor import TrainingError
from lowlabel.training.finetuning.batches import ClassBalancedOrder
from lowlabel.training.finetuning.losses import MetricLoss, build_loss
from lowlabel.training.finetuning.validation import CRITERIA, best_epoch, validation_scores


@dataclass(frozen=True)
class HeadSettings:
    """How a head is tuned.

    Attributes:
        loss: Name of the loss, as `build_loss` takes it.
        miner: Its miner; empty for the loss's own, "none" for none.
        epochs: Passes over the images.
        batch_size: Images in an optimisation step.
        images_per_class: Images of a class in a batch.
        lr: Learning rate of the head.
        loss_lr: Learning rate of the loss's proxies or margins.
        weight_decay: Weight decay of the head.
        layers: See `HeadShape`.
        dimension: Length of the embeddings; at most that of the features is used.
        normalise: See `HeadShape`.
        validation: Share of the classes that the epoch is chosen on.
        criterion: "recall@1" or "map@r" of these classes.
        seed: Random seed of batches, validation classes and initial weights.
    """

    loss: str = "multi-similarity"
    miner: str = ""
    epochs: int = 40
    batch_size: int = 112
    images_per_class: int = 4
    lr: float = 1e-4
    loss_lr: float = 5e-3
    weight_decay: float = 4e-4
    layers: int = 1
    dimension: int = 512
    normalise: bool = True
    validation: float = 0.2
    criterion: str = CRITERIA[1]
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise InputError(f"epochs must be at least 1, not {self.epochs}")
        if self.layers < 1:
            raise InputError("a head without layers has nothing to tune", "Give it 1 or 2 layers.")
        for name in ("lr", "loss_lr"):
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name}={getattr(self, name)} must be positive and finite")


@dataclass(frozen=True)
class Labelled:
    """Features float32 [N, D] with labels int64 [N] that count from 0."""

    features: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> "Labelled":
        """The same on a device."""
        return Labelled(self.features.to(device), self.labels.to(device))


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
    settings: HeadSettings,
    pooling: str = "head",
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
        settings: How to tune.
        pooling: Pooling of the features, for the head's form.
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
        settings.batch_size,
        settings.seed,
        labels=learned.labels.numpy(),
        images_per_class=settings.images_per_class,
    )
    scale = float(learned.features.square().mean().sqrt()) or 1.0
    learned, held_out = (
        part and replace(part.to(device), features=part.features.to(device) / scale)
        for part in (learned, validation)
    )
    assert learned is not None
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(settings.seed)
        head = _start(learned.features, settings, pooling).to(device)
        classes = int(learned.labels.max()) + 1
        loss = build_loss(settings.loss, classes, head.shape.dimension, settings.miner).to(device)
        scores = [_score(head, held_out)] if held_out else []
        losses, kept = [], (0, deepcopy(head.state_dict()))
        for epoch, mean in enumerate(_epochs(head, loss, learned, order, settings), start=1):
            losses.append(mean)
            if held_out:
                scores.append(_score(head, held_out))
            if not held_out or best_epoch(scores, settings.criterion) == epoch:
                kept = epoch, deepcopy(head.state_dict())
            if progress:
                progress(epoch, settings.epochs)
    head.load_state_dict(kept[1])
    return TunedHead(
        _unscaled(head.cpu(), scale), kept[0], scores, losses, time.perf_counter() - started
    )


def _epochs(
    head: EmbeddingHead,
    loss: MetricLoss,
    learned: Labelled,
    order: ClassBalancedOrder,
    settings: HeadSettings,
) -> Iterator[float]:
    """Runs the epochs, and yields the mean loss of each."""
    groups: list[dict[str, Any]] = [
        {"params": list(head.parameters()), "weight_decay": settings.weight_decay},
        {"params": list(loss.parameters()), "lr": settings.loss_lr},
    ]
    optimizer = torch.optim.Adam([g for g in groups if g["params"]], lr=settings.lr)
    for epoch in range(settings.epochs):
        rows = torch.from_numpy(order.epoch_order(epoch)).to(learned.labels.device)
        total = torch.zeros((), device=learned.labels.device)
        batches = rows.split(settings.batch_size)
        for batch in batches:
            value = loss(head(learned.features[batch]), learned.labels[batch])
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            total += value.detach()
        mean = float(total) / len(batches)
        if not math.isfinite(mean):
            raise TrainingError(
                f"the loss {settings.loss} is {mean} in epoch {epoch + 1}",
                f"Give a lower learning rate than {settings.lr:g} for the head or "
                f"{settings.loss_lr:g} for the loss.",
            )
        yield mean


def _start(features: Tensor, settings: HeadSettings, pooling: str) -> EmbeddingHead:
    """The head before tuning."""
    width = features.shape[1]
    dimension = min(settings.dimension, width)
    shape = HeadShape(settings.layers, dimension, settings.normalise, pooling)
    head = EmbeddingHead(width, shape)
    if settings.layers == 1:
        axes = torch.linalg.eigh(features.T @ features)[1].T.flip(0)[:dimension]
        largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
        axes = axes * largest.sign()  # one of two signs, which solvers choose by chance
        _copy(head.layers[0], axes, axes.new_zeros(dimension))
    return head


def _copy(layer: nn.Module, weight: Tensor, bias: Tensor) -> None:
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
    _copy(first, first.weight / scale, first.bias)
    return head.eval().requires_grad_(False)
