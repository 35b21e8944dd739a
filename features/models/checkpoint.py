"""Reads weights files and loads state dicts, reporting tensors that do not match."""

import argparse
import json
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from lowlabel.errors import DataError, InputError

BRANCHES = ("teacher", "student", "model_ema", "state_dict", "model", "model_state_dict")
PREFIXES = ("module.", "backbone.", "model.", "encoder.")
CARD_KEY = "lowlabel"
_SAVE_STATE_DICT = "Save its state dict alone: torch.save(model.state_dict(), PATH)"
MIN_MATCHED = 0.9
_MAX_LISTED = 12


@dataclass(frozen=True)
class Checkpoint:
    """A state dict from a file.

    Attributes:
        path: The file.
        tensors: Tensors by name, without the prefixes of wrappers.
        arguments: Training arguments in DINO-style checkpoints; empty for others.
    """

    path: Path
    tensors: dict[str, torch.Tensor]
    arguments: dict[str, Any]


def read_checkpoint(
    path: Path, branch: str | None = None, *, shapes_only: bool = False
) -> Checkpoint:
    """Reads a `.safetensors` file or a torch checkpoint without running code from it.

    Args:
        path: The file.
        branch: Name of the state dict in a file with several, such as "student"; by default the
            first of `BRANCHES` in the file.
        shapes_only: Whether only names and shapes are needed: what can be left on the disk is.

    Raises:
        DataError: If the file is missing, or not a weights file.
        InputError: If the file has no such branch.
    """
    if not path.is_file():
        raise DataError(f"there is no weights file {path}", "Check the path given with --model.")
    content = _read(path, shapes_only)
    tensors = _choose(content, branch, path)
    arguments = content.get("args")
    if isinstance(arguments, argparse.Namespace):
        arguments = vars(arguments)
    return Checkpoint(path, _strip(tensors), arguments if isinstance(arguments, dict) else {})


@dataclass(frozen=True)
class Card:
    """Metadata of weights that lowlabel exported.

    Attributes:
        architecture: Architecture as `NAME,option=value…` of timm.
        resolution: Side of the large views in training, in pixels.
    """

    architecture: str
    resolution: int


def read_card(path: Path) -> Card | None:
    """Reads the card in a file's metadata; None if lowlabel did not export the file."""
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

    Warns with the missing tensors if at least 90 %, but not all, of the module's parameters and
    buffers have a tensor of the same name and shape in the file.

    Raises:
        DataError: If less than 90 % of them have one.
    """
    expected = {
        name: tensor
        for name, tensor in module.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    found = {
        name: tensor
        for name, tensor in checkpoint.tensors.items()
        if name in expected and tensor.shape == expected[name].shape
    }
    missing = [
        _describe(name, expected[name], checkpoint.tensors)
        for name in expected.keys() - found.keys()
    ]
    if missing:
        listed = "\n".join(f"  {line}" for line in sorted(missing)[:_MAX_LISTED])
        if len(missing) > _MAX_LISTED:
            listed += f"\n  … and {len(missing) - _MAX_LISTED} more"
        message = (
            f"{checkpoint.path} has {len(found)} of the model's {len(expected)} tensors; missing:"
        )
        if len(found) < MIN_MATCHED * len(expected):
            raise DataError(
                f"{message}\n{listed}",
                f"Name its architecture: --model {checkpoint.path}:ARCH,option=value",
            )
        warnings.warn(f"{message}\n{listed}", stacklevel=2)
    module.load_state_dict(found, strict=False)


def _read(path: Path, shapes_only: bool) -> Mapping[str, Any]:
    try:
        if path.suffix == ".safetensors":
            return _shapes(path) if shapes_only else load_file(path)
        mapped = shapes_only and zipfile.is_zipfile(path)  # older files cannot be mapped
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"{path} is not loaded, because it holds more than tensors and plain data: "
            f"{str(error).splitlines()[0]}",
            _SAVE_STATE_DICT,
        ) from error
    except Exception as error:  # torch's reader raises anything on what is no checkpoint
        raise DataError(
            f"{path} is not a readable weights file: {error or type(error).__name__}",
            "Fetch it again, or save it again with torch.save or safetensors.",
        ) from error
    if not isinstance(content, Mapping):
        raise DataError(
            f"{path} holds a {type(content).__name__}, not a state dict", _SAVE_STATE_DICT
        )
    return dict(content)


def _shapes(path: Path) -> dict[str, torch.Tensor]:
    """Tensors without values."""
    with safe_open(path, "pt") as file:
        return {
            name: torch.empty(file.get_slice(name).get_shape(), device="meta")
            for name in file.keys()  # noqa: SIM118 the file is no mapping
        }


def _choose(content: Mapping[str, Any], branch: str | None, path: Path) -> dict[str, torch.Tensor]:
    branches = [str(name) for name, value in content.items() if isinstance(value, Mapping)]
    if branch is not None and branch not in branches:
        raise InputError(
            f"{path} has no state dict {branch!r}; it has: {', '.join(branches) or 'only one'}",
            "Choose one of them with checkpoint_key=NAME, or leave checkpoint_key out.",
        )
    chosen = branch or next((name for name in BRANCHES if name in branches), None)
    state = content if chosen is None else content[chosen]
    tensors = {
        name: value
        for name, value in state.items()
        if isinstance(name, str) and isinstance(value, torch.Tensor)
    }
    if not tensors:
        raise DataError(
            f"{path} holds no tensors; its entries are: {', '.join(map(str, content)) or 'none'}",
            _SAVE_STATE_DICT,
        )
    return tensors


def _strip(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Removes the prefixes of wrappers, repeatedly.

    A prefix that most tensors have is a wrapper's; tensors without it, such as a projection head
    beside `backbone.`, are left out. A prefix that few have belongs to the model and stays.
    """
    for prefix in PREFIXES:
        inside = {
            name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)
        }
        if 2 * len(inside) > len(tensors):
            return _strip(inside)
    return tensors


def _describe(name: str, expected: torch.Tensor, tensors: Mapping[str, torch.Tensor]) -> str:
    shape = tuple(expected.shape)
    if name in tensors:
        return f"{name} {shape}: the file has {tuple(tensors[name].shape)}"
    return f"{name} {shape}"
