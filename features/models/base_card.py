"""What the card of a tuned model says of its base model, and the tensors that it stands with."""

from typing import Any

from torch import nn

from lowlabel.datasets import is_own
from lowlabel.errors import InputError
from lowlabel.features.backbone import Backbone
from lowlabel.features.models.architectures import has_fixed_input, native_resolution
from lowlabel.features.models.checkpoints.card import (
    FOLDERS_BEFORE,
    TRAIN_FOLDER,
    TRAIN_MANIFEST,
)
from lowlabel.features.models.checkpoints.weights_file import Tensors
from lowlabel.features.models.embedding_head import HEAD_PREFIX, EmbeddingEncoder, EmbeddingHead
from lowlabel.features.models.encoders import Encoder, TimmEncoder
from lowlabel.features.models.tuned import BACKBONE
from lowlabel.features.transforms import ImageTransform
from lowlabel.fields import encode
from lowlabel.specs import format_spec, parse_spec

_OF_WEIGHTS = {"code", "seed", "allow_missing", "head"}  # options that make no architecture


def check_tunable(backbone: Backbone) -> None:
    """Raises an `InputError` unless a model can be tuned, exported, and loaded by its file.

    That needs a network of timm without a tuned head, and square or rectangular crops.
    """
    name, encoder = backbone.name, backbone.encoder
    if isinstance(encoder, EmbeddingEncoder):
        raise InputError(
            f"{name} has an embedding head already",
            f"Tune its backbone: --model PATH:head={BACKBONE}.",
        )
    if not any(True for _ in encoder.parameters()):
        raise InputError(
            f"{name} has no parameters to tune",
            "Choose a model with weights: --model dinov2_vits14.",
        )
    if not isinstance(encoder, TimmEncoder):
        raise InputError(
            f"{name} is no network of timm, so its tuned weights could not be loaded by their file",
            "Choose an alias, timm:NAME, a weights file or random:ARCH.",
        )
    if not isinstance(backbone.transform, ImageTransform):
        raise InputError(
            "a tuned model takes crops, and this framing keeps images whole",
            "Leave --framing and --multi-scale out.",
        )


def base_card(backbone: Backbone) -> dict[str, Any]:
    """The card's entries that a tuned model has from its base model.

    "architecture", "transform", "pretrained_on", "base_model", "base_weights_sha256",
    "base_identities" if it is known as published weights, and "tuned_before", the datasets that it
    was tuned on, if it was, with "folders_before", what folders among them are known by.

    Raises:
        InputError: If the model cannot be tuned.
    """
    check_tunable(backbone)
    tuning = backbone.tuning
    before = [*tuning.get("tuned_before", ()), tuning["dataset"]] if tuning else []
    known = {n: tuning[n] for n in ("dataset", TRAIN_MANIFEST, TRAIN_FOLDER) if n in tuning}
    last = [known] if TRAIN_MANIFEST in known and is_own(known["dataset"]) else []
    folders = [*tuning.get(FOLDERS_BEFORE, ()), *last]
    return {
        "architecture": _architecture(backbone),
        "transform": encode(backbone.transform),
        "pretrained_on": backbone.pretrained_on,
        "base_model": backbone.spec,
        "base_weights_sha256": backbone.weights_sha256,
        **({"base_identities": list(backbone.identities)} if backbone.identities else {}),
        **({"tuned_before": before} if before else {}),
        **({FOLDERS_BEFORE: folders} if folders else {}),
    }


def tuned_tensors(encoder: Encoder, head: EmbeddingHead) -> Tensors:
    """The tensors of a tuned model by their names in its file: timm's, and those of the head."""
    module = encoder.module
    assert isinstance(module, nn.Module)
    below = {HEAD_PREFIX + name: tensor for name, tensor in head.state_dict().items()}
    return {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in (module.state_dict() | below).items()
    }


def _architecture(backbone: Backbone) -> str:
    """The network as `NAME,option=value…`, with the image size and the rule of its positions."""
    name, options = parse_spec(backbone.spec.partition(":")[2])
    options = {key: value for key, value in options.items() if key not in _OF_WEIGHTS}
    sides = getattr(getattr(backbone.encoder.module, "patch_embed", None), "img_size", None)
    if has_fixed_input(name) and sides:
        side = sides[0] if len(set(sides)) == 1 else tuple(sides)
        if side != native_resolution(name, options):
            options["img_size"] = side
    if backbone.positions:
        options["pos_embed"] = backbone.positions
    return format_spec(name, options)
