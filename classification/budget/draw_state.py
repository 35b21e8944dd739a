"""The scored draws of a budget, kept so that a killed process goes on where it was."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch

from lowlabel.classification.budget.draws import Draws, IntArray
from lowlabel.classification.budget.result import Accumulator, FloatArray
from lowlabel.classification.unfinished import State, Unfinished


@dataclass
class DrawState:
    """The draws of one method and budget that are done, and the training on the next.

    Attributes:
        file: Where they are kept; None to keep nothing.
        sums: Sums over the draws that are done.
        begun: State of the training on the next draw; empty if it has not begun.
    """

    file: Unfinished | None = None
    sums: Accumulator = field(default_factory=Accumulator)
    begun: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, file: Unfinished | None, device: torch.device) -> "DrawState":
        """What a file keeps; nothing if there is none."""
        saved = {} if file is None else file.load(device)
        if file is None or not saved:
            return cls(file)
        with file.restoring():
            return cls(file, Accumulator.restored(saved["sums"]), dict(saved["training"]))

    def left(self, draws: Draws) -> Iterator[tuple[int, IntArray]]:
        """Yields the number and the rows of each draw that is not done."""
        done = self.sums.draws
        yield from enumerate(draws.rows[done:], done)

    def add(self, values: Mapping[str, FloatArray]) -> None:
        """Adds a draw: a value of each test image for each metric."""
        self.sums.add(values)
        self.begun = {}
        if self.file is not None and self.file.is_due:
            self.save({})

    def save(self, training: Mapping[str, Any]) -> None:
        """Saves the draws and the training on the next one, if there is a file."""
        if self.file is not None:
            self.file.save({"sums": self.sums.state(), "training": dict(training)})

    def training(self) -> "DrawTraining | None":
        """Keeps the training on the next draw; None if there is no file."""
        return None if self.file is None else DrawTraining(self, self.file)


@dataclass(frozen=True)
class DrawTraining(State):
    """The training on one draw, kept in the file of all draws.

    Attributes:
        draws: The draws before it.
        file: Where all is kept.
    """

    draws: DrawState
    file: Unfinished

    def load(self, device: torch.device) -> dict[str, Any]:
        """The state that was saved of this draw; empty if there is none."""
        return dict(self.draws.begun)

    def restoring(self) -> AbstractContextManager[None]:
        """As that of the file."""
        return self.file.restoring()

    @property
    def is_due(self) -> bool:
        """Whether it is time to save."""
        return self.file.is_due

    def save(self, state: Mapping[str, Any]) -> None:
        """Saves it with the draws that are done."""
        self.draws.save(state)
