"""A state dict from a file, with what the file says of its network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lowlabel.errors import DataError, InputError
from lowlabel.features.models.checkpoints.other_names import with_timm_names
from lowlabel.features.models.checkpoints.state_dicts import Level, networks_in, subtree, unwrap
from lowlabel.features.models.checkpoints.weights_file import (
    SAVE_STATE_DICT,
    Tensors,
    flat_tensors,
    read_content,
    training_arguments,
)


@dataclass(frozen=True)
class Checkpoint:
    """A state dict from a file.

    Attributes:
        path: The file.
        levels: Its tensors, from all of them to those without any prefix of a wrapper.
        arguments: Arguments of the training, if the file has them.
        epoch: Epoch that the file names, as DINO's code does; None if it names none.
    """

    path: Path
    levels: tuple[Level, ...]
    arguments: dict[str, Any]
    epoch: int | None = None

    @property
    def tensors(self) -> Tensors:
        """Tensors by name, without the prefixes of wrappers."""
        return self.levels[-1].tensors


def read_checkpoint(
    path: Path, branch: str | None = None, *, shapes_only: bool = False
) -> Checkpoint:
    """Reads a `.safetensors` file or a torch checkpoint without running code from it.

    Args:
        path: The file.
        branch: Name of the state dict in a file with several, such as "student"; by default the
            first of `NETWORKS` in the file.
        shapes_only: Whether only names and shapes are needed: what can be left on the disk is.

    Raises:
        DataError: If the file is missing, or not a weights file.
        InputError: If the file has no such branch.
    """
    content = read_content(path, shapes_only)
    tensors = flat_tensors(content)
    if not tensors:
        raise DataError(
            f"{path} holds no tensors; its entries are: {', '.join(map(str, content)) or 'none'}",
            SAVE_STATE_DICT,
        )
    if branch is None:
        levels = unwrap(tensors)
    else:
        chosen = subtree(tensors, branch)
        if chosen is None:
            known = ", ".join(networks_in(tensors)) or "only one"
            raise InputError(
                f"{path} has no state dict {branch!r}; it has: {known}",
                "Choose one of them with checkpoint_key=NAME, or leave checkpoint_key out.",
            )
        levels = unwrap(chosen.tensors, chosen.prefix)
    levels += with_timm_names(levels[0])
    epoch = content.get("epoch")
    epoch = epoch if type(epoch) is int else None
    return Checkpoint(path, tuple(levels), training_arguments(content), epoch)
