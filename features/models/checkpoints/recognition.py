"""Which network a weights file holds, from the names and shapes of its tensors.

The number of heads is in no tensor. It comes from the arguments in the file, or from the names
that one method alone gives its tensors; a bare ViT is assumed to have heads of 64.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import timm

from lowlabel.errors import InputError
from lowlabel.features.models.checkpoints.checkpoint import Checkpoint
from lowlabel.features.models.checkpoints.huge_layouts import ijepa, mae_huge
from lowlabel.features.models.checkpoints.tensor_names import layout_hint, unread_hint
from lowlabel.features.models.checkpoints.vit_layouts import (
    Recognised,
    VitTensors,
    deit3,
    deit_distilled,
    dinov2,
    dinov3,
    not_plain,
    plain,
)
from lowlabel.specs import Option, parse_spec

_DINO_ARCH = re.compile(r"(vit|deit)_(tiny|small|base|large)$")
_DINO_FILE = re.compile(r"dino_(deit|vit)\w*pretrain")
_MAE_FILE = re.compile(r"mae_(pretrain|finetuned|visualize)_vit_")
_SATELLITES = "sat493m"  # in the names of DINOv3's files for satellite images
_MOCOV3_SMALL_HEADS = 12
_TRAINED_OPTIONS = {"gp": "global_pool", "bn_eps": "bn_eps"}  # that change the features
_OF_TRAINING = {"num_classes", "in_chans", "drop_rate", "drop_path_rate", "drop_block_rate"}
_MAX_LISTED = 6


def recognise(checkpoint: Checkpoint) -> Recognised:
    """Recognises the network of a weights file without a card.

    Raises:
        InputError: If the file does not tell, so the architecture must be named.
    """
    named = _named(checkpoint)
    if named:
        return named
    vit = VitTensors(checkpoint.tensors)
    if not vit.has("patch_embed.proj.weight", "blocks.0.attn.qkv.weight") or vit.patch.ndim != 4:
        raise _unknown(checkpoint)
    for layout in (dinov3, dinov2, deit_distilled, deit3):
        if found := layout(vit):
            return _of_satellites(found) if _SATELLITES in checkpoint.path.stem else found
    beside = {name.split(".")[-2] if "." in name else name for name in _heads(checkpoint)}
    if _is_mae(checkpoint, beside) and (found := mae_huge(vit)):
        return found
    if "target_encoder" in _prefixes(checkpoint) and (found := ijepa(vit)):
        return found
    found = plain(vit)
    if found is None:
        raise _unknown(checkpoint, vit.foreign, "" if vit.foreign else not_plain(vit))
    return _by_method(found, checkpoint, beside)


def authors_family(checkpoint: Checkpoint) -> str:
    """Method whose authors' names a weights file has; empty for timm's names and others."""
    found = recognised(checkpoint)
    return found.authors_family if found else ""


def recognised(checkpoint: Checkpoint) -> Recognised | None:
    """The network of a weights file as far as the file tells, beside a named architecture."""
    with suppress(InputError):
        return recognise(checkpoint)
    return None


def _named(checkpoint: Checkpoint) -> Recognised | None:
    """The architecture of timm that a training names in its checkpoint, with its options."""
    for key in ("arch", "model"):
        text = checkpoint.arguments.get(key)
        if isinstance(text, str):
            named = None
            with suppress(InputError):
                named = parse_spec(text.removeprefix("timm:"))
            if named and timm.is_model(named[0].partition(".")[0]):
                return Recognised(named[0], _trained_options(checkpoint) | named[1])
    return None


def _trained_options(checkpoint: Checkpoint) -> dict[str, Option]:
    """Options of the network that timm's training script keeps beside its name.

    Raises:
        InputError: If one of them cannot be written as an option.
    """
    arguments = checkpoint.arguments
    given = {ours: arguments.get(theirs) for theirs, ours in _TRAINED_OPTIONS.items()}
    more = arguments.get("model_kwargs")
    given |= more if isinstance(more, Mapping) else {}
    options: dict[str, Option] = {}
    for name, value in given.items():
        plain = tuple(value) if isinstance(value, list) else value
        if not isinstance(plain, str | int | float | tuple | None):
            raise _unknown(checkpoint, why=f"{name}={value} of its training is no option")
        if plain not in (None, "") and name not in _OF_TRAINING:
            options[name] = plain
    return options


def _of_satellites(found: Recognised) -> Recognised:
    """The same network with the colours' means of satellite images, if timm has it."""
    name = f"{found.architecture.partition('.')[0]}.{_SATELLITES}"
    return replace(found, architecture=name) if timm.is_model_pretrained(name) else found


def _by_method(found: Recognised, checkpoint: Checkpoint, beside: set[str]) -> Recognised:
    """What the names around a plain ViT tell of its method, and so of its heads."""
    prefixes = _prefixes(checkpoint)
    size = found.architecture.split("_")[1]
    if prefixes & {"base_encoder", "momentum_encoder"}:
        heads = {"num_heads": _MOCOV3_SMALL_HEADS} if size == "small" else {}
        return replace(found, options={**found.options, **heads}, family="mocov3", heads_assumed=0)
    if _is_mae(checkpoint, beside):
        return replace(found, family="mae", heads_assumed=0)
    arch = checkpoint.arguments.get("arch")
    if isinstance(arch, str) and _DINO_ARCH.match(arch) and prefixes & {"teacher", "student"}:
        method = "ibot" if beside & {"masked_embed", "last_layer2", "mlp2"} else "dino"
        return replace(found, family=method, heads_assumed=0)
    if _DINO_FILE.match(checkpoint.path.stem):
        return replace(found, family="dino", heads_assumed=0)
    if size == "small" and _has_fixed_positions(checkpoint):
        raise _unknown(
            checkpoint,
            why="its fixed position embeddings are those of MoCo v3, whose ViT-S has 12 heads, and "
            "of MAE, whose ViT-S has 6",
        )
    return found


def _prefixes(checkpoint: Checkpoint) -> set[str]:
    """Names of what the network was wrapped in."""
    return {part for level in checkpoint.levels for part in level.prefix.split(".")}


def _is_mae(checkpoint: Checkpoint, beside: set[str]) -> bool:
    return "decoder_embed" in beside or bool(_MAE_FILE.match(checkpoint.path.stem))


def _heads(checkpoint: Checkpoint) -> list[str]:
    last = checkpoint.levels[-1]
    return [*last.heads, *last.tensors]


def _has_fixed_positions(checkpoint: Checkpoint) -> bool:
    """Whether the position of the class token is zero: sines and cosines stand for the others."""
    position = checkpoint.tensors["pos_embed"]
    return not position.is_meta and not bool(position[:, 0].any())


def _unknown(checkpoint: Checkpoint, foreign: list[str] | None = None, why: str = "") -> InputError:
    tensors = checkpoint.levels[0].tensors
    hint = layout_hint(tensors) or _branches_hint(checkpoint)
    listed = (foreign or list(tensors))[:_MAX_LISTED]
    reason = why or (
        f"{len(foreign)} of its {len(tensors)} tensors are not from a plain ViT"
        if foreign
        else f"its {len(tensors)} tensors are not from a ViT that lowlabel knows"
    )
    return InputError(
        f"cannot infer the architecture of {checkpoint.path}: {reason}, "
        f"such as {', '.join(listed)}",
        unread_hint(tensors)
        or f"{hint} Name an architecture of timm: --model {checkpoint.path}:ARCH".strip(),
    )


def _branches_hint(checkpoint: Checkpoint) -> str:
    """Names the option that takes a ViT from below a prefix that no wrapper is known by."""
    end = ".patch_embed.proj.weight"
    below = [name.removesuffix(end) for name in checkpoint.tensors if name.endswith(end)]
    if not below:
        return ""
    return (
        f"It holds a ViT below {', '.join(below)}: --model {checkpoint.path}:checkpoint_key="
        f"{below[-1].rpartition('.')[2]} takes it."
    )
