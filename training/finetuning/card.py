"""The card of a tuned model: what it was tuned from, with and on, and why this epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from lowlabel.datasets import CONTENT, ImageSet
from lowlabel.devices import describe_device
from lowlabel.features import Backbone
from lowlabel.features.models.base_card import base_card
from lowlabel.features.models.embedding_head import HeadShape
from lowlabel.results.environment import describe_environment
from lowlabel.training.finetuning.losses import full_spec
from lowlabel.training.finetuning.validation import ClassSplit


@dataclass(frozen=True)
class Outcome:
    """How a tuning went.

    Attributes:
        epoch: The epoch whose weights are exported.
        epochs: Number of epochs.
        scores: Scores of the validation classes by epoch; empty if there are none.
        first: Epoch of the first of `scores`: 0 if the model was scored before tuning.
        criterion: The score that chose the epoch.
        seconds: Wall time.
    """

    epoch: int
    epochs: int
    scores: Sequence[Mapping[str, float]]
    first: int
    criterion: str
    seconds: float


def tuned_card(
    base: Backbone,
    shape: HeadShape,
    split: ClassSplit,
    images: ImageSet,
    outcome: Outcome,
    loss: str,
    miner: str,
    tuned: str,
    device: torch.device,
) -> dict[str, Any]:
    """The card of a tuned model, as plain data that `read_card` reads.

    Args:
        base: The base model.
        shape: Form of the embedding head.
        split: The classes that were learned and those that the epoch was chosen on.
        images: The train part.
        outcome: How the tuning went.
        loss: Spec of the loss, as it was asked for.
        miner: Spec of the miner, as it was asked for; empty for the loss's own.
        tuned: "head" if the backbone is the base model's; else what was tuned of it: "all",
            "blocks 6-11", "adapters".
        device: Device of the tuning.
    """
    part = "head tuned" if tuned == "head" else "tuned"
    dataset = images.dataset.partition(":")[0]
    settings, chosen_miner = full_spec(loss, miner)
    return {
        "name": f"{base.name}, {part} on {dataset} with {loss}",
        "method": "finetune",
        **base_card(base),
        "tuned": tuned,
        "embedding_head": asdict(shape),
        "loss": loss,
        "loss_settings": settings,
        "miner": chosen_miner,
        "dataset": images.dataset,
        "part": images.part,
        "images": len(images),
        "manifest": CONTENT,
        "manifest_sha256": images.manifest_sha256,
        "learned_classes": len(split.learned.class_names),
        "validation_classes": len(split.validation.class_names) if split.validation else 0,
        "seed": split.seed,
        "epoch": outcome.epoch,
        "chosen": _why(outcome, split),
        "epochs": outcome.epochs,
        "validation": [
            {"epoch": epoch, **scores}
            for epoch, scores in enumerate(outcome.scores, start=outcome.first)
        ],
        "seconds": round(outcome.seconds, 2),
        "environment": asdict(describe_environment(describe_device(device))),
    }


def _why(outcome: Outcome, split: ClassSplit) -> str:
    """Why this epoch, as a sentence."""
    if split.validation is None:
        return f"epoch {outcome.epoch} is the last: there are no validation classes"
    score = outcome.scores[outcome.epoch - outcome.first][outcome.criterion]
    return (
        f"epoch {outcome.epoch} of {outcome.epochs} has the highest {outcome.criterion}, "
        f"{score:.2f} %, on {len(split.validation.class_names)} classes of the {split.learned.part}"
        " part that were not learned"
    )
