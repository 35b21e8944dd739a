"""`tune_frozen`: an embedding head on the cached features of a frozen backbone."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.datasets import ImageSet
from lowlabel.errors import DataError, InputError
from lowlabel.features import Backbone, EmbeddingTable, ExtractionOptions, extract_shown
from lowlabel.features.models.base_card import base_card, tuned_tensors
from lowlabel.features.models.checkpoints.card import TUNED_HEAD
from lowlabel.paths import writable_dir
from lowlabel.progress import progress_bar
from lowlabel.training.engine.checkpoint import FILE_NAME as CHECKPOINT_NAME
from lowlabel.training.engine.export import CARD_NAME, WEIGHTS_NAME, export_weights
from lowlabel.training.finetuning.batches import ClassBalancedOrder
from lowlabel.training.finetuning.card import Outcome, tuned_card
from lowlabel.training.finetuning.head_tuning import HeadSettings, Labelled, tune_head
from lowlabel.training.finetuning.losses import build_loss
from lowlabel.training.finetuning.validation import ClassSplit, split_classes


def tune_frozen(
    base: Backbone,
    images: ImageSet,
    settings: HeadSettings,
    output: Path,
    extraction: ExtractionOptions | None = None,
) -> Path:
    """Tunes a head on a model's features of the train part, and exports both as one model.

    Features come from the store and are extracted where it lacks them. A folder with the same
    tuning is left as it is.

    Args:
        base: The model, whose backbone stays as it is.
        images: The train part.
        settings: How to tune.
        output: Folder of the weights and their card.
        extraction: How features are extracted.

    Returns:
        The path of `backbone.safetensors`, which `--model` loads.

    Raises:
        InputError: If the model cannot be tuned, the classes do not suffice, an option is not
            possible, or the folder holds another run.
        TrainingError: If the loss is no longer finite.
    """
    facts = {**base_card(base), "pooling": base.pooling, "settings": asdict(settings)}
    split = split_classes(images, settings.validation, settings.seed)
    _check(split, settings)
    if found := _exported(writable_dir(output), facts, images):
        return found
    table = extract_shown(base, images, extraction or ExtractionOptions())
    learned, validation = (_rows(table, images, part) for part in (split.learned, split.validation))
    assert learned is not None
    with progress_bar(f"{settings.loss} on {images.dataset}", "epoch", delay=2.0) as progress:
        found_head = tune_head(learned, validation, settings, base.pooling, base.device, progress)
    outcome = Outcome(
        found_head.epoch,
        settings.epochs,
        found_head.scores,
        0,
        settings.criterion,
        found_head.seconds,
    )
    card = tuned_card(
        base,
        found_head.head.shape,
        split,
        images,
        outcome,
        settings.loss,
        settings.miner,
        TUNED_HEAD,
        base.device,
    )
    extra = {"losses": found_head.losses, "unreadable_images": len(table.bad_images)}
    return export_weights(
        output, tuned_tensors(base.encoder, found_head.head), card | facts | extra
    )


def _check(split: ClassSplit, settings: HeadSettings) -> None:
    """Raises what is wrong with the settings before anything is extracted."""
    labels = split.learned.labels
    ClassBalancedOrder(
        len(labels),
        settings.batch_size,
        settings.seed,
        labels=labels,
        images_per_class=settings.images_per_class,
    )
    build_loss(settings.loss, len(split.learned.class_names), settings.dimension, settings.miner)


def _exported(folder: Path, facts: Mapping[str, Any], images: ImageSet) -> Path | None:
    """The weights of the same tuning, if the folder has them."""
    card_path, path = folder / CARD_NAME, folder / WEIGHTS_NAME
    if not card_path.is_file() and not (folder / CHECKPOINT_NAME).is_file():
        return None
    try:
        card = json.loads(card_path.read_text(encoding="utf-8")) if card_path.is_file() else {}
    except ValueError as error:
        raise DataError(
            f"{card_path} is no card of a model: {error}", "Choose another --output."
        ) from error
    wanted = json.loads(json.dumps({**facts, "manifest_sha256": images.manifest_sha256}))
    differing = [name for name, value in wanted.items() if card.get(name) != value]
    if differing or not path.is_file():
        raise InputError(
            f"{folder} holds another run: {', '.join(differing) or 'its weights'} differ",
            "Choose another --output.",
        )
    return path


def _rows(table: EmbeddingTable, images: ImageSet, part: ImageSet | None) -> Labelled | None:
    """The features of the classes of `part`, with labels that number these."""
    if part is None:
        return None
    number = {name: label for label, name in enumerate(part.class_names)}
    by_label: NDArray[np.int64] = np.array([number.get(n, -1) for n in images.class_names])
    labels = by_label[table.labels]
    rows = np.flatnonzero(labels >= 0)
    return Labelled(torch.from_numpy(table.features[rows]), torch.from_numpy(labels[rows]))
