"""Export of the teacher's backbone, as safetensors with a card."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from lowlabel.datasets import CONTENT
from lowlabel.devices import describe_device
from lowlabel.features.models.checkpoints.card import CARD_KEY
from lowlabel.paths import write_file
from lowlabel.results.environment import describe_environment
from lowlabel.training.engine.checkpoint import Checkpoint
from lowlabel.training.methods.base import PretrainMethod
from lowlabel.training.plan import TrainingPlan

WEIGHTS_NAME, CARD_NAME = "backbone.safetensors", "backbone.json"


def model_card(plan: TrainingPlan, checkpoint: Checkpoint, device: torch.device) -> dict[str, Any]:
    """The provenance of the weights, as plain data.

    "architecture" is timm's `NAME,option=value…`, so the weights file alone can be loaded.
    """
    images = plan.data.images
    left_out = {"left_out": dict(plan.data.left_out)} if plan.data.left_out else {}
    return {
        "architecture": plan.architecture,
        "method": plan.recipe.method,
        "recipe": plan.recipe.as_dict(),
        "dataset": images.dataset,
        "part": images.part,
        "images": len(images),
        "unreadable_images": len(checkpoint.unreadable),
        **left_out,
        "manifest": CONTENT,
        "manifest_sha256": images.manifest_sha256,
        "class_list": list(plan.class_list),
        "epochs": checkpoint.step / plan.steps_per_epoch,
        "images_seen": checkpoint.step * plan.recipe.batch_size,
        "seconds": round(checkpoint.seconds, 1),
        "environment": asdict(describe_environment(describe_device(device))),
    }


def export_backbone(folder: Path, method: PretrainMethod, card: dict[str, Any]) -> Path:
    """Writes `backbone.safetensors`, which `--model` loads, and the card `backbone.json`.

    The card is also stored in the weights file's metadata under "lowlabel".

    Returns:
        The path of the weights.
    """
    state = method.backbone_for_export().state_dict()
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    path = folder / WEIGHTS_NAME
    write_file(path, save(tensors, metadata={"format": "pt", CARD_KEY: json.dumps(card)}))
    write_file(folder / CARD_NAME, json.dumps(card, indent=2) + "\n")
    return path
