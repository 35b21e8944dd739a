"""Detection of divergence."""

import math

from lowlabel.errors import UserError


class TrainingError(UserError):
    """Training diverged or collapsed. The last good checkpoint is kept."""


def check_finite(step: int, **values: float) -> None:
    """Raises a `TrainingError` if a value is NaN or infinite."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise TrainingError(
                f"training diverged: the {name.replace('_', ' ')} is {value} in step {step:,}",
                "The last checkpoint is from before that step. Try --dtype float32 or "
                "bfloat16, a lower learning rate (--set lr=…) or a longer warm-up "
                "(--set warmup_epochs=…), in another --output.",
            )
