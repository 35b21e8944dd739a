"""Reading of weight files, and the loading of a state dict that says what did not match."""

import argparse
import json
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from lowlabel.errors import DataError, InputError

BRANCHES = ("teacher", "student", "model_ema", "state_dict", "model", "model_state_dict")
PREFIXES = ("module.", "backbone.", "model.", "encoder.")
CARD_KEY = "lowlabel"
LEAST_MATCHED = 0.9
_MOST_LISTED = 12


@dataclass(frozen=True)
class Checkpoint:
    """A state dict out of a file.

    Attributes:
        path: The file.
        tensors: Name → tensor, names as in the file but without common prefixes.
        arguments: The training arguments that DINO-style checkpoints carry; may be empty.
    """

    path: Path
    tensors: dict[str, torch.Tensor]
    arguments: dict[str, Any]


def read_checkpoint(path: Path, branch: str | None = None) -> Checkpoint:
    """Reads a `.safetensors` file or a torch checkpoint without running code out of it.

    Args:
        path: The file.
        branch: Which state dict of a file that holds several, such as "student"; by default the
            first of teacher, student, model_ema, state_dict, model that is there.

    Raises:
        DataError: If there is no such file, or it is no weights file.
        InputError: If the file has no such branch.
    """
    if not path.is_file():
        raise DataError(f"there is no weights file {path}", "Check the path given with --model.")
    content = _read(path)
    tensors = _choose(content, branch, path)
    arguments = content.get("args")
    if isinstance(arguments, argparse.Namespace):
        arguments = vars(arguments)
    return Checkpoint(path, _strip(tensors), arguments if isinstance(arguments, dict) else {})


@dataclass(frozen=True)
class Card:
    """What the suite's own exports tell of themselves.

    Attributes:
        architecture: As timm's `NAME,option=value…`.
        resolution: Side in pixels of the large views that it was trained on.
    """

    architecture: str
    resolution: int


def read_card(path: Path) -> Card | None:
    """The card in the metadata of a file, if it is one of the suite's own exports."""
    if path.suffix != ".safetensors":
        return None
    with safe_open(path, "pt") as file:
        text = (file.metadata() or {}).get(CARD_KEY)
    if not text:
        return None
    card = json.loads(text)
    views = card["recipe"]["options"]["views"]
    return Card(str(card["architecture"]), int(views["global_size"]))


def load_into(module: nn.Module, checkpoint: Checkpoint) -> None:
    """Copies a checkpoint's tensors into `module`.

    Raises:
        DataError: If under 90 % of the module's parameters and buffers have a tensor of their
            name and shape in the file. From there to 100 % a warning lists the missing ones.
    """
    own = {
        name: tensor
        for name, tensor in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    found = {
        name: tensor
        for name, tensor in checkpoint.tensors.items()
        if name in own and tensor.shape == own[name].shape
    }
    missing = [_describe(name, own[name], checkpoint.tensors) for name in own.keys() - found.keys()]
    if missing:
        listed = "\n".join(f"  {line}" for line in sorted(missing)[:_MOST_LISTED])
        if len(missing) > _MOST_LISTED:
            listed += f"\n  … and {len(missing) - _MOST_LISTED} more"
        message = f"{checkpoint.path} has {len(found)} of the model's {len(own)} tensors; missing:"
        if len(found) < LEAST_MATCHED * len(own):
            raise DataError(
                f"{message}\n{listed}", "Name its architecture: --model PATH:ARCH,option=value"
            )
        warnings.warn(f"{message}\n{listed}", stacklevel=2)
    module.load_state_dict(found, strict=False)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, SafetensorError) as error:
        raise DataError(f"{path} is no readable weights file: {error}") from error
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path} holds more than tensors and plain data, so it is not loaded: "
            f"{str(error).splitlines()[0]}",
            "Save its state dict alone: torch.save(model.state_dict(), PATH)",
        ) from error
    if not isinstance(content, Mapping):
        raise DataError(f"{path} holds a {type(content).__name__}, not a state dict")
    return dict(content)


def _choose(content: Mapping[str, Any], branch: str | None, path: Path) -> dict[str, torch.Tensor]:
    branches = [name for name, value in content.items() if isinstance(value, Mapping)]
    if branch is not None and branch not in branches:
        raise InputError(
            f"{path} has no state dict {branch!r}; it has: {', '.join(branches) or 'only one'}"
        )
    chosen = branch or next((name for name in BRANCHES if name in branches), None)
    state = content if chosen is None else content[chosen]
    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise DataError(f"{path} holds no tensors; its entries are: {', '.join(content) or 'none'}")
    return tensors


def _strip(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Takes wrappers' prefixes off, again and again, where any tensor carries them.

    Tensors outside the prefix (a projection head beside `backbone.`) are left out, unless the
    prefix is carried by a minority: then it is a part of the model and not a wrapper.
    """
    for prefix in PREFIXES:
        inside = {
            name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)
        }
        if 2 * len(inside) > len(tensors):
            return _strip(inside)
    return tensors


def _describe(name: str, own: torch.Tensor, tensors: Mapping[str, torch.Tensor]) -> str:
    shape = tuple(own.shape)
    if name in tensors:
        return f"{name} {shape}: the file has {tuple(tensors[name].shape)}"
    return f"{name} {shape}"
