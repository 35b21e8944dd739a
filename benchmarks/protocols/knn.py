"""k-NN classification within the evaluated part: half of each class votes on the other half."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lowlabel.arrays import as_counts
from lowlabel.benchmarks.protocols.base import Protocol, ProtocolScores, Trial
from lowlabel.classification import KNNResult, evaluate_knn
from lowlabel.datasets import Division
from lowlabel.errors import InputError
from lowlabel.features import EmbeddedDataset
from lowlabel.progress import progress_bar
from lowlabel.results import MethodInfo, Score
from lowlabel.specs import Option, format_spec


@dataclass(frozen=True, kw_only=True)
class KNN(Protocol):
    """Top-1 and top-5 accuracy of weighted k-NN, a record for each number of neighbours.

    Attributes:
        neighbours: Numbers of neighbours; all voters where there are fewer.
        temperature: See `lowlabel.classification.evaluate_knn`.
        unvoted: Whether top-5 counts classes without a vote: "never", or "fill" as DINO's code.
    """

    name: ClassVar[str] = "knn"
    suite: ClassVar[str] = "classification"

    neighbours: tuple[int, ...] = (20,)
    temperature: float = 0.07
    unvoted: Literal["never", "fill"] = "never"

    def __post_init__(self) -> None:
        as_counts(self.neighbours, "neighbours")
        if not 0 < self.temperature < math.inf:
            raise InputError(f"temperature={self.temperature} must be a finite number above 0")

    def needs(self, division: Division) -> tuple[str, ...]:
        """The evaluated part."""
        return (division.evaluated,) if division.kind == "classes" else ()

    def trials(self, data: EmbeddedDataset, device: str) -> Iterator[Trial]:
        """Yields one trial: all numbers of neighbours share one pass."""
        extra: dict[str, Option] = {} if self.unvoted == "never" else {"unvoted": self.unvoted}
        experiments = tuple(
            self.experiment(
                data,
                "half of each class",
                {},
                MethodInfo(
                    format_spec("knn", {"k": k, **extra}),
                    {"k": k, "temperature": self.temperature, **extra},
                ),
                data.evaluated_part,
            )
            for k in self.neighbours
        )
        yield Trial(experiments, partial(self._score, data, device))

    def describe(self) -> str:
        """Such as "k-NN, k = 20, half of each class"."""
        return f"k-NN, k = {', '.join(map(str, self.neighbours))}, half of each class"

    def _score(self, data: EmbeddedDataset, device: str) -> list[ProtocolScores]:
        """Scores the images at odd places of their classes by those at even places."""
        features, labels = data.evaluated.features, data.evaluated.labels
        scored = index_in_class(labels) % 2 == 1
        counts = {"images": int(scored.sum()), "voters": int((~scored).sum())}
        with progress_bar(f"k-NN on {data.title}", "img") as progress:
            result = evaluate_knn(
                features[~scored],
                labels[~scored],
                features[scored],
                labels[scored],
                k=self.neighbours,
                temperature=self.temperature,
                clip_k=True,
                unvoted=self.unvoted,
                device=device,
                progress=progress,
            )
        return [_scores(result, min(k, counts["voters"]), counts) for k in self.neighbours]


def _scores(result: KNNResult, k: int, counts: dict[str, int]) -> ProtocolScores:
    names = {f"top{top}": f"top{top}@{k}" for top in (1, 5)}
    return ProtocolScores(
        {name: Score(result.metrics[at], result.ci95[at]) for name, at in names.items()},
        {
            name: np.multiply(100.0, result.correct[at], dtype=np.float64)
            for name, at in names.items()
        },
        result.ci95_definition,
        counts,
    )


def index_in_class(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of each image within its class [N], from 0."""
    order = np.argsort(labels, kind="stable")
    _, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    index = np.empty(len(labels), np.int64)
    index[order] = np.arange(len(labels)) - np.repeat(starts, counts)
    return index
