"""k-NN classification: by the train part, or within the evaluated part by half of each class."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lowlabel.arrays import as_counts
from lowlabel.benchmarks.protocols.base import without_groups
from lowlabel.benchmarks.protocols.label_kinds import label_kind
from lowlabel.benchmarks.protocols.supervised import Supervised, train_table
from lowlabel.benchmarks.protocols.trial import ProtocolScores, Trial
from lowlabel.classification import KNNResult, evaluate_knn, evaluate_knn_several_labels
from lowlabel.datasets import Division
from lowlabel.errors import InputError
from lowlabel.features import EmbeddedDataset
from lowlabel.progress import progress_bar
from lowlabel.results import MethodInfo, Score
from lowlabel.specs import Option, format_spec


@dataclass(frozen=True, kw_only=True)
class KNN(Supervised):
    """Accuracy of weighted k-NN, a record for each number of neighbours.

    Attributes:
        neighbours: Numbers of neighbours; all voters where there are fewer.
        temperature: See `lowlabel.classification.evaluate_knn`.
        unvoted: Whether top-5 counts classes without a vote: "never", or "fill" as DINO's code.
        voters: Who votes: "train", the train part; "half", half of each evaluated class on the
            other half; "either", the train part if it has the evaluated classes, else half.
    """

    name: ClassVar[str] = "knn"
    several_labels: ClassVar[bool] = True

    neighbours: tuple[int, ...] = (20,)
    temperature: float = 0.07
    unvoted: Literal["never", "fill"] = "never"
    voters: Literal["either", "train", "half"] = "either"

    def __post_init__(self) -> None:
        super().__post_init__()
        as_counts(self.neighbours, "neighbours")
        if not 0 < self.temperature < math.inf:
            raise InputError(f"temperature={self.temperature} must be a finite number above 0")

    def needs(self, division: Division) -> tuple[str, ...]:
        """The train part if it votes, and the evaluated part."""
        parts = () if self.voters == "half" else super().needs(division)
        if parts or self.voters == "train" or division.kind != "classes":
            return parts
        return (division.evaluated,)

    def unfit(self, division: Division) -> str | None:
        """As `Supervised`, where the train part must vote."""
        if division.kind == "labels" and self.unvoted != "never":
            return "images have several labels, and knn.unvoted is about top-5: leave it out."
        if self.voters == "train":
            return super().unfit(division)
        return without_groups(division) if self.interval == "groups" else None

    def trials(self, data: EmbeddedDataset, device: str) -> Iterator[Trial]:
        """Yields one trial: all numbers of neighbours share one pass."""
        extra: dict[str, Option] = {} if self.unvoted == "never" else {"unvoted": self.unvoted}
        by_train = self._by_train(data)
        experiments = tuple(
            self.experiment(
                data,
                self.protocol_name(data) if by_train else "half of each class",
                dict(label_kind(data).options),
                MethodInfo(
                    format_spec("knn", {"k": k, **extra}),
                    {"k": k, "temperature": self.temperature, **extra},
                ),
                data.train_part if by_train else None,
                data.evaluated_part,
            )
            for k in self.neighbours
        )
        one = partial(self._score, data, device, by_train=by_train)
        run = label_kind(data).pick(one, partial(self._score_labels, data, device))
        yield Trial(experiments, run, self.interval)

    def left_out(self, data: EmbeddedDataset) -> list[str]:
        """Labels that cannot be scored, where images have several."""
        return label_kind(data).left_out(data)

    def describe(self) -> str:
        """Such as "k-NN, k = 20, half of each class"."""
        voters = {"half": "half of each class", "train": "the train part"}
        known = voters.get(self.voters, "the train part or half of each class")
        return f"k-NN, k = {', '.join(map(str, self.neighbours))}, {known}"

    def _by_train(self, data: EmbeddedDataset) -> bool:
        """Whether the train part votes: it holds the evaluated classes where it was embedded."""
        if data.train is None or self.voters == "half":
            return False
        known = np.isin(data.evaluated.labels, data.train.labels).all()
        return self.voters == "train" or data.several_labels or bool(known)

    def _score_labels(self, data: EmbeddedDataset, device: str) -> list[ProtocolScores]:
        """Scores images that have several labels each."""
        kind = label_kind(data)
        with progress_bar(f"k-NN on {data.title}", "img") as progress:
            found = evaluate_knn_several_labels(
                *kind.arrays(data),
                k=self.neighbours,
                temperature=self.temperature,
                clip_k=True,
                groups=data.evaluated.groups,
                interval=self.interval,
                device=device,
                progress=progress,
            )
        ks = [min(k, len(train_table(data).labels)) for k in self.neighbours]
        return [kind.scores(found[k], data, deterministic=True) for k in ks]

    def _score(self, data: EmbeddedDataset, device: str, *, by_train: bool) -> list[ProtocolScores]:
        """Scores the evaluated images, or those at odd places of their classes by the others."""
        features, labels = data.evaluated.features, data.evaluated.labels
        groups = data.evaluated.groups
        if by_train:
            train = train_table(data)
            voting, voters, scored = (train.features, train.labels), None, None
        else:
            odd = index_in_class(labels) % 2 == 1
            if not odd.any():
                raise InputError(
                    f"no class of the {len(labels)} images of {data.title} has two images: half of "
                    "each class cannot vote on the other half",
                    "Score images of classes that have several, or give a train part to vote.",
                )
            voters, scored = np.flatnonzero(~odd), np.flatnonzero(odd)
            voting = features, labels
            groups = None if groups is None else groups[scored]
        with progress_bar(f"k-NN on {data.title}", "img") as progress:
            result = evaluate_knn(
                *voting,
                features,
                labels,
                rows=voters,
                test_rows=scored,
                k=self.neighbours,
                temperature=self.temperature,
                clip_k=True,
                unvoted=self.unvoted,
                all_metrics=by_train,
                groups=groups,
                interval=self.interval,
                device=device,
                progress=progress,
            )
        counts = {
            "images": len(labels if scored is None else scored),
            "voters": len(voting[1] if voters is None else voters),
        }
        ks = [min(k, counts["voters"]) for k in self.neighbours]
        if by_train:
            kind = label_kind(data)
            return [kind.scores(result.of(k), data, deterministic=True) for k in ks]
        return [_scores(result, k, counts) for k in ks]


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
        intervals={name: result.intervals[at] for name, at in names.items()},
        deterministic=True,
    )


def index_in_class(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of each image within its class [N], from 0."""
    order = np.argsort(labels, kind="stable")
    _, starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
    index = np.empty(len(labels), np.int64)
    index[order] = np.arange(len(labels)) - np.repeat(starts, counts)
    return index
