"""The state of a linear training that is resumed: its heads after a step, and the choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from lowlabel.classification.probe.heads import Head, LinearHeads
from lowlabel.classification.unfinished import State


@dataclass(frozen=True)
class Resume:
    """One of the trainings of a probe: that of the grid, or that of the chosen head.

    Attributes:
        file: Where the state is kept.
        chosen: The chosen head and what was tried; empty in the training of the grid.
        state: The state to go on from; empty to begin.
    """

    file: State
    chosen: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, file: State, device: torch.device) -> "Resume":
        """The training that the file is of, or the first one if there is no file."""
        state = file.load(device)
        with file.restoring():
            return cls(file, dict(state.get("chosen", {})), state)

    def choice(self, heads: Sequence[Head]) -> tuple[Head, dict[str, float | None]]:
        """The head that was chosen among `heads`, and what was tried."""
        with self.file.restoring():
            optimizer, rate = self.chosen["head"]
            if (head := (optimizer, rate)) not in heads:
                raise ValueError(f"it has chosen {head}, which is no head of this training")
            return head, dict(self.chosen["tried"])

    def after(self, chosen: Mapping[str, Any]) -> "Resume":
        """The training of a head that was chosen."""
        return Resume(self.file, chosen)

    def restore(self, trained: Sequence[LinearHeads]) -> int:
        """Brings heads to the state, and gives the number of steps that they have made."""
        if not self.state:
            return 0
        with self.file.restoring():
            for heads, saved in zip(trained, self.state["heads"], strict=True):
                heads.restore(saved)
            if (step := int(self.state["step"])) < 0:
                raise ValueError(f"its step is {step}")
            return step

    def keep(self, step: int, trained: Sequence[LinearHeads]) -> None:
        """Saves the heads after a step, if it is time."""
        if self.file.is_due:
            heads = [each.state() for each in trained]
            self.file.save({"chosen": dict(self.chosen), "step": step, "heads": heads})
