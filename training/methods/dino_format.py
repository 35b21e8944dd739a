"""The checkpoint format of DINO's own code, read and written.

`{student, teacher, optimizer, epoch, args, dino_loss}`: the student's keys begin with `module.`,
the prototypes are `last_layer.weight_g` and `weight_v`, `args` here is a plain dictionary.
"""

import argparse
import pickle
from pathlib import Path
from typing import Any

import torch

from lowlabel.errors import DataError
from lowlabel.paths import atomic_write
from lowlabel.training.methods.dino import DINO

_STUDENT = "module."
_LAYER = "head.last_layer."
_NAMES = {
    f"{_LAYER}parametrizations.weight.original0": f"{_LAYER}weight_g",
    f"{_LAYER}parametrizations.weight.original1": f"{_LAYER}weight_v",
}
_OWN = {theirs: own for own, theirs in _NAMES.items()}
_MOST_LISTED = 8

State = dict[str, torch.Tensor]


def write_dino_checkpoint(
    path: Path, method: DINO, optimizer: dict[str, Any], epoch: int, args: dict[str, Any]
) -> None:
    """Writes a run in DINO's format.

    Args:
        path: The file.
        method: The networks and the centre.
        optimizer: The optimiser's state dict.
        epoch: Epochs done.
        args: Plain data about the run.
    """
    student, teacher = (_theirs(m.state_dict()) for m in (method.student, method.teacher))
    content = {
        "student": {_STUDENT + name: tensor for name, tensor in student.items()},
        "teacher": teacher,
        "optimizer": optimizer,
        "epoch": epoch,
        "args": args,
        "dino_loss": {"center": method.centre.value},
    }
    with atomic_write(path) as temporary:
        torch.save(content, temporary)


def read_dino_checkpoint(path: Path, method: DINO) -> int:
    """Loads student, teacher and centre from a checkpoint in DINO's format.

    Returns:
        Epochs that the checkpoint had done.

    Raises:
        DataError: If the file is damaged or of another form, or its tensors do not fit.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=True)
        student, teacher = content["student"], content["teacher"]
        centre, epoch = content["dino_loss"]["center"], int(content["epoch"])
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise DataError(f"{path} is no checkpoint of DINO's form: {error}") from error
    _load(path, method.student, {k.removeprefix(_STUDENT): v for k, v in student.items()})
    _load(path, method.teacher, {k.removeprefix(_STUDENT): v for k, v in teacher.items()})
    if centre.shape != method.centre.value.shape:
        raise DataError(
            f"{path} has {centre.shape[-1]} prototypes, the method {method.options.prototypes}",
            f"Give --set prototypes={centre.shape[-1]}.",
        )
    method.centre.value.copy_(centre)
    return epoch


def _theirs(state: State) -> State:
    return {_NAMES.get(name, name): tensor for name, tensor in state.items()}


def _load(path: Path, module: torch.nn.Module, state: State) -> None:
    wanted = module.state_dict()
    found = {_OWN.get(name, name): tensor for name, tensor in state.items()}
    wrong = [
        name
        for name in sorted(wanted.keys() | found.keys())
        if name not in wanted or name not in found or wanted[name].shape != found[name].shape
    ]
    if wrong:
        raise DataError(
            f"{path} is of another architecture or head; {len(wrong)} tensors differ: "
            f"{', '.join(wrong[:_MOST_LISTED])}",
            "Give the --arch and the options that it was trained with.",
        )
    module.load_state_dict(found)
