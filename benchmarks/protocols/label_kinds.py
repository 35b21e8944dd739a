"""One label of each image or several: what protocols that learn from labels make of either."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from lowlabel.benchmarks.protocols.supervised import train_table
from lowlabel.benchmarks.protocols.trial import ProtocolScores
from lowlabel.classification import ClassifierResult, SeveralLabelsResult
from lowlabel.features import EmbeddedDataset
from lowlabel.results import Score

_MOST_NAMED = 20
Result = ClassifierResult | SeveralLabelsResult
A = TypeVar("A")
B = TypeVar("B")


class LabelKind(ABC):
    """How the labels of a dataset are handed to classifiers, and their results recorded.

    Attributes:
        held_out: What part of train something is chosen on where there are no validation images.
        options: What the score depends on beside the method.
    """

    held_out: ClassVar[str]
    options: ClassVar[Mapping[str, object]]

    @abstractmethod
    def pick(self, one: Callable[..., A], several: Callable[..., B]) -> Callable[..., A | B]:
        """What serves images with one label, or what serves those with several."""

    @abstractmethod
    def of_part(self, data: EmbeddedDataset, part: str) -> NDArray[Any]:
        """The labels of a part, as classifiers take them."""

    @abstractmethod
    def counts(self, result: Any) -> dict[str, int]:
        """What a result counts beside the images."""

    def left_out(self, data: EmbeddedDataset) -> list[str]:
        """What cannot be scored, in sentences."""
        return []

    def arrays(self, data: EmbeddedDataset) -> tuple[Any, ...]:
        """Features and labels of the train part, and those of the evaluated part."""
        train = train_table(data)
        assert data.train_part
        learned = train.features, self.of_part(data, data.train_part)
        return *learned, data.evaluated.features, self.of_part(data, data.evaluated_part)

    def validation(self, data: EmbeddedDataset) -> tuple[Any, Any] | None:
        """Features and labels of the validation images, if there are any."""
        val = data.validation
        return None if val is None else (val.features, self.of_part(data, "val"))

    def scores(
        self,
        result: Result,
        data: EmbeddedDataset,
        *,
        chosen_on: str = "",
        deterministic: bool = False,
    ) -> ProtocolScores:
        """The scores of a classifier's result.

        Args:
            result: The result.
            data: What was scored.
            chosen_on: The images that something was chosen on.
            deterministic: See `lowlabel.results.Record`.
        """
        if "tried" in result.chosen:
            result = replace(result, chosen={**result.chosen, "where": chosen_on})
        ci95 = result.ci95
        images = {"images": len(data.evaluated.labels), "train": len(train_table(data).labels)}
        return ProtocolScores(
            {name: Score(mean, ci95[name]) for name, mean in result.metrics.items()},
            result.values,
            result.ci95_definition,
            images | self.counts(result),
            chosen=dict(result.chosen),
            intervals=result.intervals,
            deterministic=deterministic,
        )


class OneLabel(LabelKind):
    """One class of each image."""

    held_out = "a tenth of each class of train"
    options: ClassVar[Mapping[str, object]] = {}

    def pick(self, one: Callable[..., A], several: Callable[..., B]) -> Callable[..., A | B]:
        """See `LabelKind`."""
        return one

    def of_part(self, data: EmbeddedDataset, part: str) -> NDArray[np.int64]:
        """Numbers of classes, [N]."""
        return data.tables[part].labels

    def counts(self, result: ClassifierResult) -> dict[str, int]:
        """Images of classes that train lacks."""
        return {"unseen": result.unseen} if result.unseen else {}


class SeveralLabels(LabelKind):
    """Several labels of each image."""

    held_out = "a tenth of train, by the rarest label of each image"
    options: ClassVar[Mapping[str, object]] = {"average_precision": "VOC 2010, all points"}

    def pick(self, one: Callable[..., A], several: Callable[..., B]) -> Callable[..., A | B]:
        """See `LabelKind`."""
        return several

    def of_part(self, data: EmbeddedDataset, part: str) -> NDArray[np.bool_]:
        """Whether each image has each label, [N, L]."""
        return data.label_sets[part]

    def counts(self, result: SeveralLabelsResult) -> dict[str, int]:
        """Labels, and those of them that cannot be scored or told."""
        counts = {"labels": len(result.scored)}
        if result.without_test:
            counts["labels without a test image"] = result.without_test
        if result.without_train:
            counts["labels that train cannot tell"] = result.without_train
        return counts

    def left_out(self, data: EmbeddedDataset) -> list[str]:
        """The labels that no test image has, and those of test images that train cannot tell."""
        train_table(data)
        names, sets = np.array(data.label_sets.names), data.label_sets
        train, test = sets[data.train_part or ""], sets[data.evaluated_part].any(axis=0)
        notes = []
        if not test.all():
            notes.append(f"of the mAP on {data.title}, on no test image: {_named(names[~test])}")
        untold = {"no train image": ~train.any(axis=0), "all train images": train.all(axis=0)}
        for where, those in untold.items():
            if (test & those).any():
                notes.append(
                    f"of training on {data.title}, on {where} and so with equal scores: "
                    f"{_named(names[test & those])}"
                )
        return notes


def label_kind(data: EmbeddedDataset) -> LabelKind:
    """How the labels of a dataset are learned from."""
    return SeveralLabels() if data.several_labels else OneLabel()


def _named(labels: NDArray[np.str_]) -> str:
    more = f" and {len(labels) - _MOST_NAMED:,} more" if len(labels) > _MOST_NAMED else ""
    return ", ".join(labels[:_MOST_NAMED]) + more
