"""Model choice on classes of the train part that the loss never sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lowlabel.arrays import Labels
from lowlabel.datasets import ImageSet
from lowlabel.errors import InputError
from lowlabel.retrieval import evaluate_retrieval
from lowlabel.training.engine.monitor import TrainingError

CRITERIA = ("recall@1", "map@r")
_FEWEST = 2  # classes: a single one has nothing to be told from
_STREAM = 7


@dataclass(frozen=True)
class ClassSplit:
    """Images of the train part, divided by class.

    Attributes:
        learned: Images of the classes that the loss is computed on.
        validation: Images of the other classes; None if there are none.
        seed: Seed of the division.
    """

    learned: ImageSet
    validation: ImageSet | None
    seed: int


def split_classes(images: ImageSet, share: float, seed: int) -> ClassSplit:
    """Divides the classes of the train part into learned and validation classes at random.

    Args:
        images: The train part.
        share: Share of the classes to validate on, below 1; at least two classes. 0 for none.
        seed: Random seed. The same seed and classes give the same division.

    Raises:
        InputError: If there is a single class, if no two classes are left to learn, or if no
            validation class has two images.
    """
    classes = len(images.class_names)
    where = f"{images.dataset} {images.part}"
    if not 0 <= share <= 1:
        raise InputError(f"validation must be a share of the classes in [0, 1), not {share}")
    if classes < _FEWEST:
        raise InputError(
            f"{where} has a single class ({', '.join(images.class_names)}), and a loss needs "
            f"at least {_FEWEST}",
            "Give a --dataset whose train part has more classes, one folder for each.",
        )
    if share == 0:
        return ClassSplit(images, None, seed)
    count = max(_FEWEST, round(share * classes))
    if classes - count < _FEWEST:
        raise InputError(
            f"{count} of the {classes} classes of {where} for validation would leave "
            f"{max(classes - count, 0)} to learn, and a loss needs at least {_FEWEST}",
            f"Give a smaller --validation, such as {_smaller(classes)}.",
        )
    held_out = np.random.default_rng((seed, _STREAM)).permutation(classes)[:count]
    is_held_out = np.isin(images.labels, held_out)
    learned = images.only(np.flatnonzero(~is_held_out).tolist())
    validation = images.only(np.flatnonzero(is_held_out).tolist())
    if np.bincount(validation.labels).max() < 2:
        raise InputError(
            f"none of the {count} validation classes of {where} has two images, so none can be "
            "found by another",
            "Give another --seed, a larger --validation, or --validation 0 to keep the last epoch.",
        )
    return ClassSplit(learned, validation, seed)


def validation_scores(
    embeddings: torch.Tensor, labels: Labels, device: str | torch.device = "auto"
) -> dict[str, float]:
    """Recall@1 and MAP@R in percent of embeddings [N, D] with labels [N], by cosine.

    Raises:
        TrainingError: If an embedding is not finite.
    """
    if not embeddings.isfinite().all():
        raise TrainingError(
            "training diverged: embeddings of the validation classes are not finite",
            "Give lower rates (--set lr=…, head_lr=…, loss_lr=…), in another --output.",
        )
    found = evaluate_retrieval(embeddings, labels, ks=(1,), device=device).metrics
    return {name: found[name] for name in CRITERIA}


def best_epoch(scores: Sequence[dict[str, float]], criterion: str) -> int:
    """Index of the highest score; the other criterion decides between equals, then the earlier."""
    others = [name for name in CRITERIA if name != criterion]
    keys = [(score[criterion], *(score[name] for name in others)) for score in scores]
    return keys.index(max(keys))


def chosen_epoch(scores: Sequence[dict[str, float]], criterion: str, epochs: int) -> dict[str, Any]:
    """The epoch that is exported and why, for a model's card.

    Args:
        scores: Scores of the validation classes before tuning and after each epoch; empty if there
            are no such classes.
        criterion: The score that chooses.
        epochs: Number of epochs.
    """
    if not scores:
        return {"epoch": epochs, "chosen": "the last epoch: there are no validation classes"}
    best = best_epoch(scores, criterion)
    before = "" if best else ", before tuning: no epoch was better"
    what = f"the highest {criterion} on the validation classes, {scores[best][criterion]:.2f} %"
    return {"epoch": best, "chosen": what + before, "validation_scores": list(scores)}


def _smaller(classes: int) -> str:
    return "0" if classes < 2 * _FEWEST else f"{_FEWEST / classes:.2g}"
