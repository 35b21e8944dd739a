"""A file that keeps the state of an unfinished training, so that a killed process loses little."""

import time
import zipfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from lowlabel.errors import DataError
from lowlabel.reading import reading
from lowlabel.torch_file import damaged_part, write_torch

_FORMAT = 1
_EVERY_S = 120.0
_MOST_SHARE = 0.02  # of the time that goes into saving
_FIX = "Delete it to start the training from its beginning."


class State(Protocol):
    """Where a training keeps its state."""

    def restoring(self) -> AbstractContextManager[None]:
        """Turns what a state that does not fit raises into a `DataError`."""

    def load(self, device: torch.device) -> dict[str, Any]:
        """The state that was saved last; empty if there is none."""

    @property
    def is_due(self) -> bool:
        """Whether it is time to save."""

    def save(self, state: Mapping[str, Any]) -> None:
        """Replaces the state."""


@dataclass
class Unfinished(State):
    """The state of one training, replaced as a whole.

    Attributes:
        path: The file; it is there while the training is unfinished.
        of: What determines the training: a state of another one is refused.
        every_s: Seconds between two savings, at least.
    """

    path: Path
    of: Mapping[str, object]
    every_s: float = _EVERY_S
    _due: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._due = time.monotonic() + self.every_s

    def load(self, device: torch.device) -> dict[str, Any]:
        """The state that was saved last; empty if there is none.

        Raises:
            DataError: If the file is damaged, or that of another training.
        """
        if not self.path.is_file():
            return {}
        with reading(self.path, f"{self.path} cannot be read", _FIX):
            if damaged := damaged_part(self.path):
                raise zipfile.BadZipFile(f"{damaged} is not what was written")
            content = torch.load(self.path, map_location=device, weights_only=True)
            state: dict[str, Any] = dict(content["state"])
        if content.get("format") != _FORMAT or content.get("of") != dict(self.of):
            raise DataError(f"{self.path} is the state of another training", _FIX)
        return state

    def restoring(self) -> AbstractContextManager[None]:
        """Turns what a state that does not fit raises into a `DataError`."""
        return reading(self.path, f"{self.path} cannot be resumed from", _FIX)

    @property
    def is_due(self) -> bool:
        """Whether it is time to save."""
        return time.monotonic() >= self._due

    def save(self, state: Mapping[str, Any]) -> None:
        """Replaces the file; a `DataError` if it cannot be written, and the older one stays."""
        started = time.monotonic()
        write_torch(self.path, {"format": _FORMAT, "of": dict(self.of), "state": dict(state)})
        now = time.monotonic()
        self._due = now + max(self.every_s, (now - started) / _MOST_SHARE)
