"""Few-shot tasks of compressed features."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lowlabel.arrays import Labels
from lowlabel.errors import InputError
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.retrieval.post import Compression, PostProcessing

_WAYS, _QUERIES = 5, 15


@dataclass(frozen=True)
class FewShotTasks:
    """The few-shot tasks that compressed features are scored on.

    Attributes:
        method: Spec of the method.
        shots: Labelled images per class.
        tasks: Number of tasks.
        seed: Random seed.
    """

    method: str = "ncm,norm=l2"
    shots: tuple[int, ...] = (1, 5)
    tasks: int = 2000
    seed: int = 0

    def check(self, labels: Labels) -> None:
        """Raises an `InputError` if there are fewer classes than a task has."""
        if (classes := len(np.unique(np.asarray(labels)))) < _WAYS:
            raise InputError(
                f"a {_WAYS}-way task needs {_WAYS} classes, but the labels hold {classes}",
                "Leave few-shot out: --tasks 0.",
            )

    def scores(
        self,
        features: Tensor,
        labels: Labels,
        steps: Sequence[PostProcessing],
        device: str | torch.device,
    ) -> Iterator[tuple[str, float, float]]:
        """Yields "1-shot" and so on with mean and interval in percent, after some compressions."""
        for step in steps:
            assert isinstance(step, Compression)
            features = step.compress(features)
        for shots in self.shots:
            result = evaluate_fewshot(
                features,
                labels,
                method=self.method,
                ways=_WAYS,
                shots=shots,
                queries=_QUERIES,
                tasks=self.tasks,
                seed=self.seed,
                interval="tasks",
                device=device,
            )
            yield f"{shots}-shot", result.mean, result.ci95
