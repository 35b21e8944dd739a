"""Schedules of rates, as arrays over steps or epochs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Schedule = NDArray[np.float64]


@dataclass(frozen=True)
class Schedules:
    """The rates of a run.

    Attributes:
        lr: Learning rate of each step.
        weight_decay: Weight decay of each step.
        momentum: Teacher momentum of each step.
        temperature: Teacher temperature of each epoch.
        steps_per_epoch: Optimisation steps in an epoch.
    """

    lr: Schedule
    weight_decay: Schedule
    momentum: Schedule
    temperature: Schedule
    steps_per_epoch: int


def warmup_cosine(
    start: float, end: float, steps: int, warmup_steps: int = 0, warmup_from: float = 0.0
) -> Schedule:
    """A linear warm-up to `start`, then half a cosine towards `end`.

    The last warm-up step has the value `start`. Step i of the n cosine steps has the value at
    fraction i / n of the cosine, so `end` would be reached one step after the last.

    Args:
        start: Value after the warm-up.
        end: Value that the cosine approaches.
        steps: Length of the schedule, including the warm-up.
        warmup_steps: Length of the warm-up; at most `steps` are used.
        warmup_from: Value of the first warm-up step.

    Returns:
        float64 [steps].
    """
    warmup_steps = min(warmup_steps, steps)
    rising = np.linspace(warmup_from, start, warmup_steps)
    rest = steps - warmup_steps
    angle = np.pi * np.arange(rest) / max(rest, 1)
    return np.concatenate([rising, end + 0.5 * (start - end) * (1 + np.cos(angle))])


def warmup_constant(warm: float, final: float, epochs: int, warmup_epochs: int) -> Schedule:
    """A linear change from `warm` to `final` over the warm-up epochs, then `final`.

    Returns:
        float64 [epochs], one value per epoch.
    """
    rising = np.linspace(warm, final, warmup_epochs)[:epochs]
    return np.concatenate([rising, np.full(epochs - len(rising), final)])
