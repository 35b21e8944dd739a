"""What changes during training, as arrays over steps or epochs."""

import numpy as np
from numpy.typing import NDArray

Schedule = NDArray[np.float64]


def warmup_cosine(
    start: float, end: float, steps: int, warmup_steps: int = 0, warmup_from: float = 0.0
) -> Schedule:
    """A linear warm-up to `start`, then half a cosine towards `end`.

    The warm-up reaches `start` in its last step. The cosine takes its value at i / n of the way in
    step i of its n, so that `end` itself would be the step after the last.

    Args:
        start: Value after the warm-up.
        end: Value that the cosine approaches.
        steps: Length of the schedule, warm-up included.
        warmup_steps: Length of the warm-up; cut to `steps`.
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
    """Goes linearly from `warm` to `final` over the warm-up epochs and stays there.

    Returns:
        float64 [epochs], one value per epoch.
    """
    rising = np.linspace(warm, final, warmup_epochs)[:epochs]
    return np.concatenate([rising, np.full(epochs - len(rising), final)])
