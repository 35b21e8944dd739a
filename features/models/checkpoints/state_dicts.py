"""Finds the network in a checkpoint: among several state dicts, below the prefixes of wrappers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lowlabel.features.models.checkpoints.tensor_names import is_harmless, is_head
from lowlabel.features.models.checkpoints.weights_file import Tensors

# Whole networks, the first one found is taken: an average of the weights comes before them.
NETWORKS = (
    *("teacher", "teacher_backbone", "state_dict_ema", "model_ema", "ema_state_dict", "ema_model"),
    *("ema", "target_encoder", "student", "student_backbone", "state_dict", "model"),
    *("model_state_dict", "base_encoder", "momentum_encoder", "encoder_q", "encoder_k", "encoder"),
)
_WRAPPERS = ("module", "_orig_mod", "_forward_module", "backbone", "state", "method", "net")
_CHUNKED = re.compile(r"blocks\.\d+\.(\d+)\.")


@dataclass(frozen=True)
class Level:
    """The tensors of a checkpoint below a prefix.

    Attributes:
        prefix: What was removed from their names, "teacher.backbone.".
        tensors: By the names that are left.
        beside: Names in the file of tensors outside the prefix, of no other network and no head.
        heads: Names in the file of heads outside the prefix.
        others: Prefixes of other networks in the file.
    """

    prefix: str
    tensors: Tensors
    beside: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def unwrap(tensors: Tensors, prefix: str = "") -> list[Level]:
    """Removes prefixes one after the other.

    A prefix is a wrapper's if it has one of the known names or no name stands beside it, and most
    tensors that are no head and belong to no other network lie below it.

    Returns:
        The levels, from all tensors to the innermost.
    """
    levels = [Level(prefix, tensors)]
    while inner := _inner(levels[-1]):
        levels.append(inner)
    return [*levels, *_unchunked(levels[-1])]


def subtree(tensors: Tensors, key: str) -> Level | None:
    """The tensors below the shortest prefix that is `key` or ends with it; None if none is."""
    wanted = key.split(".")
    ends: set[tuple[str, ...]] = {
        tuple(parts[:end])
        for name in tensors
        for parts in [name.split(".")]
        for end in range(len(wanted), len(parts))
        if parts[end - len(wanted) : end] == wanted
    }
    if not ends:
        return None
    shortest = min(sorted(ends), key=len)
    prefix = ".".join(shortest) + "."
    return Level(prefix, _below(tensors, prefix))


def networks_in(tensors: Tensors) -> list[str]:
    """Names of the networks in a file, in its order."""
    parts = dict.fromkeys(part for name in tensors for part in name.split(".")[:-1])
    return [part for part in parts if part in NETWORKS]


def _inner(level: Level) -> Level | None:
    groups = dict.fromkeys(name.partition(".")[0] for name in level.tensors if "." in name)
    chosen = next((name for name in (*NETWORKS, *_WRAPPERS) if name in groups), None)
    if chosen is None and len(groups) == 1 and all("." in name for name in level.tensors):
        chosen = next(iter(groups))  # a wrapper of any name, if what is below it fits
    if chosen is None:
        return None
    inside = _below(level.tensors, f"{chosen}.")
    others = [name for name in groups if name in NETWORKS and name != chosen]
    if chosen not in NETWORKS:
        others = []
    outside = [n for n in level.tensors if n.partition(".")[0] not in (chosen, *others)]
    beside = [name for name in outside if not is_harmless(name)]
    if len(inside) <= len(beside):
        return None
    heads = [name for name in outside if is_head(name)]
    return Level(
        f"{level.prefix}{chosen}.",
        inside,
        (*level.beside, *(level.prefix + name for name in beside)),
        (*level.heads, *(level.prefix + name for name in heads)),
        (*level.others, *(level.prefix + name for name in others)),
    )


def _below(tensors: Tensors, prefix: str) -> Tensors:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _unchunked(level: Level) -> Sequence[Level]:
    """DINOv2 trains with blocks in chunks, `blocks.1.6.…` for the seventh block."""
    if not any(re.match(r"blocks\.\d+\.\d+\.attn\.qkv\.", name) for name in level.tensors):
        return []
    renamed = {_CHUNKED.sub(r"blocks.\1.", name): t for name, t in level.tensors.items()}
    if len(renamed) < len(level.tensors):
        return []
    return [replace(level, tensors=renamed)]
