"""Export of a trained backbone, as safetensors with a card."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from lowlabel.datasets import CONTENT
from lowlabel.devices import describe_device
from lowlabel.errors import DataError, InputError
from lowlabel.features.models.checkpoints.card import CARD_KEY, card_text
from lowlabel.paths import write_file
from lowlabel.results.environment import describe_environment
from lowlabel.training.engine.checkpoint import Checkpoint
from lowlabel.training.engine.run_plan import RunPlan

BACKBONE, SUFFIX = "backbone", ".safetensors"
WEIGHTS_NAME, CARD_NAME = BACKBONE + SUFFIX, f"{BACKBONE}.json"
_RUN = ("method", "recipe", "base_weights_sha256", "manifest_sha256")  # what tells runs apart
_NOTHING: Mapping[str, Any] = {}


def model_card(
    plan: RunPlan, checkpoint: Checkpoint, device: torch.device, found: Mapping[str, Any] = _NOTHING
) -> dict[str, Any]:
    """The provenance of the weights, as plain data.

    "architecture" is timm's `NAME,option=value…`, so the weights file alone can be loaded.

    Args:
        plan: The run.
        checkpoint: Its state.
        device: Device of the run.
        found: Further entries, which the run found out.
    """
    images = plan.images
    left_out = {"left_out": dict(plan.left_out)} if plan.left_out else {}
    return {
        **plan.card(),
        "dataset": images.dataset,
        "part": images.part,
        "images": len(images),
        "unreadable_images": len(checkpoint.unreadable),
        **left_out,
        "manifest": CONTENT,
        "manifest_sha256": images.manifest_sha256,
        "epochs": checkpoint.step / plan.steps_per_epoch,
        "images_seen": checkpoint.step * plan.batch_size,
        "seconds": round(checkpoint.seconds, 1),
        **found,
        "environment": asdict(describe_environment(describe_device(device))),
    }


def export_weights(
    folder: Path, tensors: Mapping[str, torch.Tensor], card: dict[str, Any], name: str = BACKBONE
) -> Path:
    """Writes `NAME.safetensors`, which `--model` loads, and the card `NAME.json`.

    The card is also stored in the weights file's metadata under "lowlabel".

    Args:
        folder: Folder to write to.
        tensors: The tensors by name.
        card: The value of `model_card`.
        name: Name of the files.

    Returns:
        The path of the weights.
    """
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path = folder / f"{name}{SUFFIX}"
    write_file(path, save(kept, metadata={"format": "pt", CARD_KEY: json.dumps(card)}))
    write_card(folder, card, name)
    return path


def write_card(folder: Path, card: Mapping[str, Any], name: str = BACKBONE) -> None:
    """Writes the card `NAME.json`."""
    write_file(folder / f"{name}.json", json.dumps(card, indent=2) + "\n")


def check_no_other_weights(folder: Path, plan: RunPlan) -> None:
    """Raises an `InputError` if a folder without a checkpoint holds the weights of another run.

    They would be replaced without a word: those of a head tuned alone, which leaves no checkpoint,
    or of a run whose checkpoint was deleted.
    """
    path = folder / WEIGHTS_NAME
    if not path.is_file():
        return
    try:
        card = json.loads(card_text(path) or "{}")
    except (DataError, ValueError):
        return  # no result that could be lost
    wanted = plan.card() | {"manifest_sha256": plan.images.manifest_sha256}
    if any(as_written(card.get(name)) != as_written(wanted.get(name)) for name in _RUN):
        raise InputError(
            f"{path} belongs to another run: {card.get('name') or 'without a name'}",
            "Give another --output, or move the file.",
        )


def as_written(value: object) -> object:
    """A card's value as JSON gives it back; of a recipe, without the path of its model."""
    read = json.loads(json.dumps(value))
    if isinstance(read, dict):
        read.pop("model", None)
    return read
