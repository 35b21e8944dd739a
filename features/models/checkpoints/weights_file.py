"""Reads a weights file without running code from it."""

import argparse
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from lowlabel.errors import DataError, UserError
from lowlabel.features.models.checkpoints.torch_check import check_torch_file
from lowlabel.reading import reason

SAVE_STATE_DICT = "Save its state dict alone: torch.save(model.state_dict(), PATH)"
_MOST_NESTED = 20
_SCALAR = np.float64(0).__reduce__()[0]
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
# Entries that hold the state of a training and no network.
_TRAINING = re.compile(
    r"(optim\w*|opt|lr_schedul\w*|schedul\w*|(grad_)?scaler|amp|callbacks|loops|config|args"
    r"|hyper_parameters|(\w+_)?loss\w*|criterion|metrics?|rng\w*)$"
)

Tensors = dict[str, torch.Tensor]


class _Record:
    """Stands in for a log in a checkpoint, of which only plain attributes are read."""


_PLAIN: list[Any] = [  # what files may hold beside tensors; none of it runs code
    argparse.Namespace,
    (_Record, "utilities.logger.Progress_Saver"),
    *(np.dtype, type(np.dtype(np.float64)), type(np.dtype(np.float32)), type(np.dtype(np.int64))),
    *((_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
]


def read_content(path: Path, shapes_only: bool = False) -> dict[Any, Any]:
    """Reads the entries of a `.safetensors` file or a torch checkpoint.

    Args:
        path: The file.
        shapes_only: Whether only names and shapes are needed: what can be left on the disk is.

    Raises:
        DataError: If it is missing, damaged, one file of several, or no weights file.
    """
    if not path.is_file():
        raise DataError(f"there is no weights file {path}", "Check the path given with --model.")
    if _SHARD.search(path.stem):
        raise DataError(
            f"{path} is one file of several that hold the weights together",
            "Join them into one file: load all and save one state dict with safetensors.",
        )
    content = _read(path, shapes_only)
    if not isinstance(content, Mapping):
        raise DataError(
            f"{path} holds a {type(content).__name__}, not a state dict", SAVE_STATE_DICT
        )
    return dict(content)


def flat_tensors(content: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> Tensors:
    """The tensors of nested entries by their joined names, without the state of a training.

    Raises:
        DataError: If entries nest too deeply, or a tensor stands for values that it does not hold.
    """
    if depth > _MOST_NESTED:
        raise DataError(f"the entry {prefix[:60]}… nests too deeply", SAVE_STATE_DICT)
    found: Tensors = {}
    for key, value in content.items():
        if not isinstance(key, str):
            continue
        if isinstance(value, torch.Tensor):
            _check_tensor(prefix + key, value)
            found[prefix + key] = value
        elif isinstance(value, Mapping) and not _TRAINING.match(key):
            found |= flat_tensors(value, f"{prefix}{key}.", depth + 1)
    return found


def _check_tensor(name: str, tensor: torch.Tensor) -> None:
    """Refuses tensors that stand for more values than they hold, or hold none."""
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise DataError(f"the tensor {name} is sparse or quantised", SAVE_STATE_DICT)
    if tensor.is_meta:
        return
    if tensor.nbytes > tensor.untyped_storage().nbytes():
        raise DataError(
            f"the tensor {name} stands for {tensor.nbytes:,} bytes and holds "
            f"{tensor.untyped_storage().nbytes():,}",
            SAVE_STATE_DICT,
        )


def training_arguments(content: Mapping[Any, Any]) -> dict[str, Any]:
    """The arguments of a training in a checkpoint: `args`, `opt`, `arch`, or lowlabel's own."""
    arguments = {key: content[key] for key in ("arch",) if isinstance(content.get(key), str)}
    for key in ("args", "opt", "fingerprint"):
        value = content.get(key)
        value = vars(value) if isinstance(value, argparse.Namespace) else value
        arguments |= value if isinstance(value, dict) else {}
    return arguments


def _read(path: Path, shapes_only: bool) -> object:
    try:
        if path.suffix.lower() == ".safetensors":
            return _shapes(path) if shapes_only else load_file(path)
        return load_torch(path, mmap=shapes_only and zipfile.is_zipfile(path))
    except UserError:
        raise
    except Exception as error:  # torch's reader raises anything on what is no checkpoint
        raise _unreadable(path, error) from error


def load_torch(path: Path, *, mmap: bool = False, device: torch.device | str = "cpu") -> Any:
    """Reads a file of `torch.save`: tensors and plain data, no code.

    Args:
        path: The file.
        mmap: Whether to leave the tensors on the disk; not possible for files of old versions.
        device: Where to put the tensors.

    Raises:
        DataError: If it needs far more memory than it has bytes.
        Exception: Anything, if it is damaged or no such file.
    """
    check_torch_file(path)
    with torch.serialization.safe_globals(_PLAIN):
        return torch.load(path, map_location=device, weights_only=True, mmap=mmap)


def _unreadable(path: Path, error: Exception) -> DataError:
    """Says why a file is not read, without torch's advice to run the code in it."""
    text = str(error)
    if "TorchScript" in text:
        return DataError(
            f"{path} is a TorchScript archive, whose code is not run",
            "Save its state dict alone: torch.save(torch.jit.load(PATH).state_dict(), OTHER_PATH)",
        )
    if unsafe := re.search(r"GLOBAL (\S+)", text):
        return DataError(
            f"{path} is not loaded, because it holds more than tensors and plain data: {unsafe[1]}",
            SAVE_STATE_DICT,
        )
    detail = text.partition("WeightsUnpickler error:")[2].strip()
    why = detail.splitlines()[0] if detail else reason(error)
    return DataError(
        f"{path} is not a readable weights file: {why}",
        "Fetch it again, or save it again with torch.save or safetensors.",
    )


def _shapes(path: Path) -> Tensors:
    """Tensors without values."""
    with safe_open(path, "pt") as file:
        return {
            name: torch.empty(file.get_slice(name).get_shape(), device="meta")
            for name in file.keys()  # noqa: SIM118 the file is no mapping
        }
