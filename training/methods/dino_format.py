"""Reading and writing checkpoints in the format of DINO's reference code.

`{student, teacher, optimizer, epoch, args, dino_loss}`: the student's keys begin with `module.`,
the prototypes are `last_layer.weight_g` and `weight_v`, and `args` is a plain dictionary when
written here.
"""

from pathlib import Path
from typing import Any

import torch

from lowlabel.errors import DataError, InputError
from lowlabel.features.models.checkpoints.weights_file import load_torch
from lowlabel.reading import reading
from lowlabel.torch_file import write_torch
from lowlabel.training.methods.base import PretrainMethod
from lowlabel.training.methods.dino import DINO

_STUDENT = "module."
_LAYER = "head.last_layer."
_TO_REFERENCE = {
    f"{_LAYER}parametrizations.weight.original0": f"{_LAYER}weight_g",
    f"{_LAYER}parametrizations.weight.original1": f"{_LAYER}weight_v",
}
_FROM_REFERENCE = {theirs: ours for ours, theirs in _TO_REFERENCE.items()}
_MAX_LISTED = 8

State = dict[str, torch.Tensor]


def require_dino(method: PretrainMethod) -> DINO:
    """Returns the method if DINO's format can hold it.

    Raises:
        InputError: If it is another method, which the format has no place for.
    """
    if type(method) is not DINO:
        raise InputError(
            f"{method.name} has networks that DINO's checkpoint format cannot hold",
            "Leave --start and --dino-format out, or train with dino.",
        )
    return method


def write_dino_checkpoint(
    path: Path, method: DINO, optimizer: dict[str, Any], epoch: int, args: dict[str, Any]
) -> None:
    """Writes a run in DINO's format.

    Args:
        path: The file.
        method: The method, with its networks and its centre.
        optimizer: The optimiser's state dict.
        epoch: Number of finished epochs.
        args: Plain data that describes the run.
    """
    student, teacher = (
        _renamed(m.state_dict(), _TO_REFERENCE) for m in (method.student, method.teacher)
    )
    content = {
        "student": {_STUDENT + name: tensor for name, tensor in student.items()},
        "teacher": teacher,
        "optimizer": optimizer,
        "epoch": epoch,
        "args": args,
        "dino_loss": {"center": method.centre.value},
    }
    write_torch(path, content)


def read_dino_checkpoint(path: Path, method: DINO) -> int:
    """Loads student, teacher and centre from a checkpoint in DINO's format.

    Returns:
        Number of finished epochs.

    Raises:
        DataError: If the file is damaged or has another format, or its tensors do not fit.
    """
    problem = f"{path} is not a checkpoint in DINO's format"
    with reading(path, problem):
        content = load_torch(path)
        student, teacher = content["student"], content["teacher"]
        centre, epoch = content["dino_loss"]["center"], int(content["epoch"])
        _load(path, method.student, {k.removeprefix(_STUDENT): v for k, v in student.items()})
        _load(path, method.teacher, {k.removeprefix(_STUDENT): v for k, v in teacher.items()})
        if not isinstance(centre, torch.Tensor) or not centre.ndim:
            raise ValueError("its centre is no vector")
    if centre.shape != method.centre.value.shape:
        raise DataError(
            f"{path} has {centre.shape[-1]} prototypes, the method has {method.options.prototypes}",
            f"Give --set prototypes={centre.shape[-1]}.",
        )
    method.centre.value.copy_(centre)
    return epoch


def _renamed(state: State, names: dict[str, str]) -> State:
    return {names.get(name, name): tensor for name, tensor in state.items()}


def _load(path: Path, module: torch.nn.Module, state: State) -> None:
    expected = module.state_dict()
    found = _renamed(state, _FROM_REFERENCE)
    wrong = [
        name
        for name in sorted(expected.keys() | found.keys())
        if name not in expected or name not in found or expected[name].shape != found[name].shape
    ]
    if wrong:
        raise DataError(
            f"{path} has another architecture or head; {len(wrong)} tensors differ: "
            f"{', '.join(wrong[:_MAX_LISTED])}",
            "Give the --arch and the options of that run.",
        )
    module.load_state_dict(found)
