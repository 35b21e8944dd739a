"""`tune_frozen`: an embedding head on the cached features of a frozen backbone."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from lowlabel.datasets import ImageSet
from lowlabel.devices import resolve_device
from lowlabel.errors import DataError, InputError
from lowlabel.features import EmbeddingTable, ExtractionOptions, extract_shown
from lowlabel.features.models.base_card import tuned_tensors
from lowlabel.features.models.checkpoints.card import TRAIN_FOLDER, TRAIN_MANIFEST, card_text
from lowlabel.paths import writable_dir
from lowlabel.processes.torchrun import planned_processes
from lowlabel.progress import progress_bar
from lowlabel.training.engine.checkpoint import FILE_NAME as CHECKPOINT_NAME
from lowlabel.training.engine.checkpoint import Checkpoint
from lowlabel.training.engine.export import (
    CARD_NAME,
    WEIGHTS_NAME,
    as_written,
    export_weights,
    model_card,
    write_card,
)
from lowlabel.training.finetuning.head_tuning import Labelled, TunedHead, tune_head
from lowlabel.training.finetuning.plan import FinetunePlan
from lowlabel.training.finetuning.validation import chosen_epoch


def tune_frozen(
    plan: FinetunePlan,
    output: Path,
    device: str = "auto",
    extraction: ExtractionOptions | None = None,
) -> Path:
    """Tunes a head on a model's features of the train part, and exports both as one model.

    Features come from the store and are extracted where it lacks them. A folder with the same
    tuning is left as it is.

    Args:
        plan: The plan, with a recipe that is frozen.
        output: Folder of the weights and their card.
        device: Device to compute on.
        extraction: How features are extracted.

    Returns:
        The path of `backbone.safetensors`, which `--model` loads.

    Raises:
        InputError: If an option is not possible, or the folder holds another run.
        TrainingError: If the loss is no longer finite.
    """
    if (processes := planned_processes()) > 1:
        raise InputError(
            f"a head on frozen features is tuned in one process, and torchrun started {processes}",
            "Leave torchrun out: lowlabel finetune --frozen … takes seconds.",
        )
    plan.build_loss()  # refuses what is not possible before anything is extracted
    if exported := _exported(writable_dir(output), plan):
        return exported
    target = resolve_device(device)
    base = replace(plan.base, encoder=plan.base.encoder.to(target), device=target)
    table = extract_shown(base, plan.all_images, extraction or ExtractionOptions())
    learned = _rows(table, plan.all_images, plan.split.learned)
    held_out = plan.split.validation
    validation = _rows(table, plan.all_images, held_out) if held_out else None
    with progress_bar(plan.title, "epoch", delay=2.0) as progress:
        found = tune_head(learned, validation, plan.recipe, plan.head, target, progress)
    card = _card(plan, found, table, target)
    return export_weights(output, tuned_tensors(base.encoder, found.head), card)


def _card(
    plan: FinetunePlan, found: TunedHead, table: EmbeddingTable, device: torch.device
) -> dict[str, Any]:
    bad = set(table.bad_images)
    unreadable = [row for row, path in enumerate(plan.images.paths) if path in bad]
    state = Checkpoint(plan.fingerprint(), plan.steps, found.seconds, unreadable, {})
    epochs, criterion = plan.recipe.epochs, plan.recipe.options.criterion
    outcome = chosen_epoch(found.scores, criterion, epochs) | {"losses": found.losses}
    return model_card(plan, state, device, outcome)


def _exported(folder: Path, plan: FinetunePlan) -> Path | None:
    """The weights of the same tuning, if the folder has them."""
    card_path, path = folder / CARD_NAME, folder / WEIGHTS_NAME
    if not any((folder / name).is_file() for name in (CARD_NAME, WEIGHTS_NAME, CHECKPOINT_NAME)):
        return None
    found = _card_in(path) if path.is_file() else {}
    wanted = plan.card() | {"manifest_sha256": plan.images.manifest_sha256}
    del wanted[TRAIN_FOLDER]  # images may move
    found.setdefault(TRAIN_MANIFEST, wanted[TRAIN_MANIFEST])  # absent in cards of earlier versions
    differing = [n for n, value in wanted.items() if as_written(value) != as_written(found.get(n))]
    if differing:
        what = f"{', '.join(differing)} differ" if found else f"{path.name} has no card"
        raise InputError(
            f"{folder} holds another run, or part of one: "
            f"{what if path.is_file() else f'there is no {path.name}'}",
            "Choose another --output.",
        )
    if not card_path.is_file():  # a kill between the two files
        write_card(folder, _card_in(path))
    return path


def _card_in(path: Path) -> dict[str, Any]:
    """The card in the metadata of weights; empty if they have none."""
    try:
        found = json.loads(card_text(path) or "{}")
    except (SafetensorError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read: {error}", "Delete it to start over, or give another --output."
        ) from error
    return found if isinstance(found, dict) else {}


def _rows(table: EmbeddingTable, images: ImageSet, part: ImageSet) -> Labelled:
    """The features of the classes of `part`, with labels that number these."""
    number = {name: label for label, name in enumerate(part.class_names)}
    by_label: NDArray[np.int64] = np.array([number.get(n, -1) for n in images.class_names])
    labels = by_label[table.labels]
    rows = np.flatnonzero(labels >= 0)
    return Labelled(torch.from_numpy(table.features[rows]), torch.from_numpy(labels[rows]))
