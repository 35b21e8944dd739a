"""Which options of an architecture are accepted, wherever they come from: names, cards, files."""

from collections.abc import Iterable, Mapping
from typing import Any

import timm
import torch
from torch import nn

from lowlabel.errors import InputError
from lowlabel.reading import physical_memory
from lowlabel.specs import Option, format_spec

# Arguments of `timm.create_model` that open files or ask the network.
_OUTSIDE = frozenset(
    {"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir"}
    | {"model_name", "model_args", "features_only", "scriptable", "exportable", "no_jit"}
)
_LARGEST = 1 << 20
_MOST_PIXELS = 16_384
_MOST_BLOCKS = 1_000
_BLOCKS = (
    "depth",
    "layers",
    "blocks",
    "repeat",
    "stages",
)  # in names of options that timm loops over


def check_options(name: str, options: Mapping[str, Option]) -> None:
    """Raises an `InputError` for options that read something else, or whose values are too large.

    Args:
        name: The architecture.
        options: Its options.
    """
    if chosen := options.keys() & _OUTSIDE:
        raise InputError(
            f"{name} does not take the option {', '.join(sorted(chosen))}: the form of a model's "
            "name says where its weights come from",
            f"Write timm:{name} for published weights, random:{name} for none, or PATH:{name}.",
        )
    for option, value in options.items():
        numbers = list(_integers(value))
        looped = any(word in option for word in _BLOCKS)
        if any(abs(number) > _LARGEST for number in numbers):
            raise InputError(f"{option}={value} of {name} is too large; at most {_LARGEST:,}")
        if looped and sum(map(abs, numbers)) > _MOST_BLOCKS:
            raise InputError(f"{option}={value} of {name} is too large; at most {_MOST_BLOCKS:,}")
    _check_side(name, options.get("img_size"))


def check_size(name: str, arguments: Mapping[str, Any]) -> None:
    """Raises an `InputError` if a network does not fit in memory; nothing of it is allocated.

    Args:
        name: The architecture.
        arguments: Arguments of `timm.create_model`.
    """
    try:
        with torch.device("meta"):
            module = timm.create_model(name, **{**arguments, "pretrained": False})
    except (NotImplementedError, RuntimeError) as error:
        if "meta" in str(error).lower():
            return  # it reads values while it is made, which tensors without values do not have
        raise
    options = {k: v for k, v in arguments.items() if k not in ("num_classes", "pretrained")}
    check_memory(format_spec(name, options), module, "Choose smaller options of the architecture.")


def check_memory(shown: str, module: nn.Module, fix: str) -> None:
    """Raises an `InputError` if a network, given without its numbers, does not fit in memory."""
    needed = sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
    memory = physical_memory()
    if memory and needed > memory:
        raise InputError(
            f"{shown} needs {needed / 2**30:,.1f} GiB of memory; this computer has "
            f"{memory / 2**30:,.1f} GiB",
            fix,
        )


def _integers(value: Option) -> Iterable[int]:
    values = value if isinstance(value, tuple) else (value,)
    return (each for each in values if isinstance(each, int) and not isinstance(each, bool))


def _check_side(name: str, side: Option) -> None:
    if side is None:
        return
    sides = list(_integers(side))
    given = len(side) if isinstance(side, tuple) else 1
    if len(sides) != given or given not in (1, 2) or not all(1 <= s <= _MOST_PIXELS for s in sides):
        raise InputError(
            f"img_size={side} of {name} is not possible",
            f"Write img_size=SIDE in pixels, from 1 to {_MOST_PIXELS:,}.",
        )
