"""Detection of collapse."""

from collections import deque
from collections.abc import Mapping

from lowlabel.training.engine.monitor import TrainingError

_NEAR = 0.002
_NEAR_LOSS = 0.02
_SMALLEST_STD = 1e-3


class CollapseMonitor:
    """Monitors the loss, the teacher's entropy and the spread of the features.

    Args:
        uniform_loss: Loss of uniform outputs (ln K).
        largest_entropy: Largest possible entropy of the teacher (ln K).
        patience: Consecutive collapsed steps that count as a collapse.
    """

    def __init__(self, uniform_loss: float, largest_entropy: float, patience: int) -> None:
        self._uniform_loss = uniform_loss
        self._largest_entropy = largest_entropy
        self._recent: deque[str] = deque(maxlen=max(patience, 1))

    def check(self, step: int, loss: float, logs: Mapping[str, float]) -> None:
        """Raises a `TrainingError` if the last `patience` steps were all collapsed."""
        self._recent.append(self._diagnose(loss, logs))
        if len(self._recent) == self._recent.maxlen and all(self._recent):
            raise TrainingError(
                f"training collapsed by step {step:,}: {self._recent[-1]} "
                f"in {len(self._recent)} consecutive steps",
                "Try a lower teacher temperature (--set teacher_temperature=0.04) with a warm-up, "
                "a lower learning rate, a larger batch or fewer prototypes.",
            )

    def _diagnose(self, loss: float, logs: Mapping[str, float]) -> str:
        entropy, spread = logs["teacher_entropy"], logs["feature_std"]
        ceiling = self._largest_entropy
        if spread < _SMALLEST_STD:
            return f"all images have the same feature (standard deviation {spread:.1e})"
        if entropy > (1 - _NEAR) * ceiling and abs(loss / self._uniform_loss - 1) < _NEAR_LOSS:
            return (
                f"the teacher is uniform (entropy {entropy:.4f} of at most {ceiling:.4f}, "
                f"loss {loss:.4f}, loss of uniform outputs {self._uniform_loss:.4f})"
            )
        usage = logs.get("usage_entropy", ceiling)
        if usage < _NEAR * ceiling:
            return f"one prototype takes all images (entropy of their mean {usage:.1e})"
        if usage - entropy < _NEAR * ceiling:
            return f"the teacher gives all images the same distribution (entropy {entropy:.4f})"
        return ""
