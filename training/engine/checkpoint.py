"""The checkpoint that a run resumes from: tensors and plain data only."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lowlabel.datasets import Manifest
from lowlabel.errors import DataError, InputError
from lowlabel.features.models.checkpoints.card import TRAIN_MANIFEST
from lowlabel.features.models.checkpoints.weights_file import load_torch
from lowlabel.reading import reading
from lowlabel.torch_file import damaged_part, write_torch

FILE_NAME = "checkpoint.pth"
FORMAT = 1
_MAX_LISTED = 8


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after a step.

    Attributes:
        fingerprint: The value of `RunPlan.fingerprint()`.
        step: Number of finished steps.
        seconds: Wall time so far, in seconds.
        unreadable: Indices of images that could not be read.
        state: State dicts of the method, the optimiser and the scaler.
    """

    fingerprint: dict[str, Any]
    step: int
    seconds: float
    unreadable: list[int]
    state: dict[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replaces the folder's checkpoint atomically."""
    content = {"format": FORMAT, **{f: getattr(checkpoint, f) for f in _FIELDS}}
    write_torch(folder / FILE_NAME, content)


def load_checkpoint(folder: Path, device: torch.device) -> Checkpoint | None:
    """Reads the folder's checkpoint; None if there is none.

    Raises:
        DataError: If the file is damaged, or is no checkpoint of a run.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return None
    fix = "Delete it to start over, or give another --output."
    with reading(path, f"{path} cannot be read", fix):
        if damaged := damaged_part(path):
            raise zipfile.BadZipFile(f"{damaged} is not what was written")
        content = load_torch(path, device=device)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(
            f"{path} is not a checkpoint of lowlabel pretrain or finetune", "Give another --output."
        )
    with reading(path, f"{path} cannot be read", fix):
        return Checkpoint(**{name: content[name] for name in _FIELDS})


def check_same_run(
    folder: Path, checkpoint: Checkpoint, fingerprint: dict[str, Any], manifest: Manifest
) -> None:
    """Raises an `InputError` that lists the differences if the checkpoint is of another run.

    Checkpoints of earlier versions know images by their size: they count if all images are older.
    """
    before, now = _flat(checkpoint.fingerprint), _flat(fingerprint)
    is_earlier = "manifest" not in before
    if is_earlier and manifest.newest < (folder / FILE_NAME).stat().st_mtime_ns:
        now |= {"manifest_sha256": manifest.by_size}
        del now["manifest"]
    differing = [
        f"  {name}: {before.get(name, 'not set')} there, {now.get(name, 'not set')} now"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name) and (name in before or name not in _GROWN)
    ]
    if differing:
        raise InputError(
            f"{folder / FILE_NAME} belongs to another run:\n" + "\n".join(differing[:_MAX_LISTED]),
            f"Repeat that run's command to resume it, or give another --output."
            f"{_earlier_architecture(str(before.get('arch')), str(now.get('arch')))}",
        )


def _earlier_architecture(before: str, now: str) -> str:
    """How to continue a run that began before the methods had options of the architecture."""
    for added, earlier in (("pos_embed=dino", "timm"), ("zero_init_last=False", "True")):
        parts = now.split(",")
        if added in parts and before == ",".join(part for part in parts if part != added):
            option = added.partition("=")[0]
            return f" A run of an earlier version continues with {option}={earlier} after --arch."
    return ""


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


_GROWN = (TRAIN_MANIFEST,)  # absent in checkpoints of earlier versions
_FIELDS = ("fingerprint", "step", "seconds", "unreadable", "state")
