"""Copies a checkpoint into a network whole: nothing missing, nothing left over but heads."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import nn

from lowlabel.datasets.io.lists import first_few
from lowlabel.errors import DataError, InputError, number_of
from lowlabel.features.models.checkpoints.checkpoint import Checkpoint
from lowlabel.features.models.checkpoints.matching import Match, best_match
from lowlabel.features.models.checkpoints.tensor_names import (
    is_head,
    is_pooling_head,
    layout_hint,
    unread_hint,
)
from lowlabel.features.models.checkpoints.weights_file import Tensors
from lowlabel.specs import Option

_MAX_LISTED = 12


@dataclass(frozen=True)
class Loaded:
    """What was done to load a checkpoint.

    Attributes:
        notes: What was left out, chosen or resampled.
        initialised: Tensors that the file does not have and `allow_missing` lets be random.
    """

    notes: tuple[str, ...] = ()
    initialised: tuple[str, ...] = ()


def load_whole(
    module: nn.Module,
    checkpoint: Checkpoint,
    name: str,
    options: Mapping[str, Option],
    allow_missing: Option = None,
) -> Loaded:
    """Copies a checkpoint's tensors into a network.

    A classifier that the file does not have may be missing, unless `num_classes` asks for one.
    Tensors in the layout of the model's authors, and those of other sizes, are converted as timm
    does for its published weights. Classifiers and heads of pretraining are left out.

    Args:
        module: The network of timm, which is changed.
        checkpoint: The weights.
        name: The network's architecture.
        options: Its options.
        allow_missing: What may be missing and stay as it was initialised: True for anything, a
            number of tensors or (below 1) a fraction of them, or names joined by "+", in which
            `*` stands for anything.

    Raises:
        DataError: If other tensors are missing or left over, or are no floating-point numbers.
        InputError: If `allow_missing` has another form.
    """
    match = best_match(module, checkpoint, name, options)
    found, missing = match.found, match.missing
    classifier = set() if options.get("num_classes") else _classifier(module)
    needed = [each for each in missing if each not in classifier]
    allowed = _allowed(needed, allow_missing, len(match.expected))
    left_over = [n for n in match.left_over if n.removeprefix(match.level.prefix) not in allowed]
    if left_over or set(needed) - allowed:
        raise _not_whole(checkpoint, match, [n for n in needed if n not in allowed], left_over)
    _check_types(checkpoint, match, found)
    module.load_state_dict(found, strict=False)
    return Loaded(tuple(_notes(match, missing)), tuple(needed))


def _classifier(module: nn.Module) -> set[str]:
    """Names of the tensors of a network's classifier."""
    names = (getattr(module, "pretrained_cfg", None) or {}).get("classifier") or ()
    layers = (names,) if isinstance(names, str) else names
    return {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}


def _allowed(missing: list[str], option: Option, total: int) -> set[str]:
    if option is None or option is False:
        return set()
    if option is True:
        return set(missing)
    if isinstance(option, int | float) and option > 0:
        most = option if option >= 1 else option * total
        return set(missing) if len(missing) <= most else set()
    if isinstance(option, str):
        patterns = [part.strip() for part in option.split("+")]
        return {n for n in missing if any(fnmatchcase(n, pattern) for pattern in patterns)}
    raise InputError(
        f"allow_missing={option} is not possible",
        "Write allow_missing=True, a number of tensors or a fraction of them, or names such as "
        "allow_missing=norm.weight+norm.bias.",
    )


def _check_types(checkpoint: Checkpoint, match: Match, found: Tensors) -> None:
    wrong = [
        name
        for name, tensor in found.items()
        if match.expected[name].is_floating_point() and not tensor.is_floating_point()
    ]
    if wrong:
        raise DataError(
            f"{checkpoint.path} holds {len(wrong)} tensors that are no floating-point numbers: "
            f"{wrong[0]} is {str(found[wrong[0]].dtype).removeprefix('torch.')}",
            "Quantised weights must be converted back to floats first.",
        )


def _notes(match: Match, missing: list[str]) -> Iterator[str]:
    level = match.level
    if level.others:
        taken = level.prefix.rstrip(".")
        yield f"loaded {taken}, not {', '.join(level.others)}"
    heads = [*level.heads, *(level.prefix + n for n in level.tensors if _is_apart(n, match))]
    if heads:
        yield f"left out {_count(heads)} of heads, pretraining or text: {first_few(heads)}"
    resized = [
        f"{name} from {_shape(level.tensors[name])} to {_shape(after)}"
        for name, after in match.found.items()
        if name in level.tensors and _is_resized(name, level.tensors[name], after)
    ]
    if resized:
        yield f"resampled {_count(resized)}: {first_few(resized)}"
    if missing:
        yield f"initialised {_count(missing)} that the file does not have: {first_few(missing)}"


def _is_apart(name: str, match: Match) -> bool:
    """Whether a tensor of the file serves no features."""
    names = match.level.tensors
    text = not name.startswith("visual.") and any(n.startswith("visual.") for n in names)
    return name not in match.expected and (is_head(name) or is_pooling_head(name) or text)


def _is_resized(name: str, before: torch.Tensor, after: torch.Tensor) -> bool:
    """Whether positions or a first convolution have another size; prefix tokens do not count."""
    if before.ndim == 3 and before.shape[-1] == after.shape[-1]:
        return math.isqrt(before.shape[1]) != math.isqrt(after.shape[1])
    sized = before.ndim == 4 or name.endswith("relative_position_bias_table")
    return sized and before.shape != after.shape


def _not_whole(
    checkpoint: Checkpoint, match: Match, missing: list[str], left_over: list[str]
) -> DataError:
    expected = match.expected
    lines = [
        f"{checkpoint.path} has {len(match.found)} of the model's {len(expected)} tensors; "
        f"missing: {len(missing)}"
    ]
    lines += _listed([_describe(name, match) for name in missing])
    lines.append(f"left over in the file, and no head: {len(left_over)}")
    lines += _listed(left_over)
    if missing and (not left_over or match.tensors is not match.level.tensors):
        lines += ["names in the file:", *_listed(list(checkpoint.levels[0].tensors))]
    hint = (
        f"Name the architecture that it was made with: --model {checkpoint.path}:ARCH,option=value"
    )
    names = checkpoint.levels[0].tensors
    if unread := unread_hint(names):
        return DataError("\n".join(lines), unread)
    if layout := layout_hint(names):
        hint = f"{layout} {hint}"
    if missing and not left_over:
        hint += "\nor let tensors be random: allow_missing=NAME+NAME or allow_missing=True."
    return DataError("\n".join(lines), hint)


def _describe(name: str, match: Match) -> str:
    shape = _shape(match.expected[name])
    if name in match.tensors:
        return f"{name} {shape}: the file has {_shape(match.tensors[name])}"
    return f"{name} {shape}"


def _listed(names: list[str]) -> list[str]:
    more = len(names) - _MAX_LISTED
    return [f"  {name}" for name in names[:_MAX_LISTED]] + ([f"  … and {more} more"] * (more > 0))


def _count(names: list[str]) -> str:
    return number_of(len(names), "tensors")


def _shape(tensor: torch.Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
