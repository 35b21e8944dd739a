"""Label-free measures of the evaluated part: RankMe, α-ReQ, NESum, uniformity and others."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from lowlabel.arrays import as_integers
from lowlabel.benchmarks.protocols.base import Protocol
from lowlabel.benchmarks.protocols.trial import ProtocolScores, Trial
from lowlabel.classification import label_free_measures
from lowlabel.classification.label_free.measures import ALPHA_RANKS, PAIR_IMAGES
from lowlabel.datasets import Division
from lowlabel.errors import InputError
from lowlabel.features import EmbeddedDataset
from lowlabel.results import MethodInfo, Score


@dataclass(frozen=True, kw_only=True)
class LabelFree(Protocol):
    """What the spectrum and the geometry of embeddings say without a classifier.

    Attributes:
        alpha_ranks: First and last rank of the fit of α; see
            `lowlabel.classification.label_free_measures`.
        pair_images: Number of images whose pairs uniformity takes; drawn if there are more.
        pair_seed: Random seed of the draw.
    """

    name: ClassVar[str] = "label-free"
    suite: ClassVar[str] = "label-free"

    alpha_ranks: tuple[int, ...] = ALPHA_RANKS
    pair_images: int = PAIR_IMAGES
    pair_seed: int = 0

    def __post_init__(self) -> None:
        as_integers(2, pair_images=self.pair_images)
        as_integers(0, pair_seed=self.pair_seed)
        if len(self.alpha_ranks) != 2 or not 0 < self.alpha_ranks[0] < self.alpha_ranks[1]:
            raise InputError(
                f"alpha_ranks={self.alpha_ranks} must be the first and the last of several ranks",
                "The authors of α-ReQ take 4 and 100: --set label-free.alpha_ranks='(4, 100)'.",
            )

    def needs(self, division: Division) -> tuple[str, ...]:
        """The evaluated part."""
        return (division.evaluated,) if division.kind == "classes" else ()

    def trials(self, data: EmbeddedDataset, device: str) -> Iterator[Trial]:
        """Yields one trial."""
        options: dict[str, object] = {
            "alpha_ranks": self.alpha_ranks,
            "pair_images": self.pair_images,
            "pair_seed": self.pair_seed,
        }
        method = MethodInfo("measures")
        experiment = self.experiment(data, self.name, options, method, data.evaluated_part)
        yield Trial((experiment,), partial(self._score, data, device))

    def left_out(self, data: EmbeddedDataset) -> list[str]:
        """Measures that are undefined on these embeddings or labels."""
        features, labels = data.evaluated.features, data.evaluated.labels
        (images, dimensions), first = features.shape, self.alpha_ranks[0]
        most = min(images - 1, dimensions)
        found = {}
        if images > 1 and (features == features[0]).all():
            found["effective rank, NESum and α-ReQ"] = f"all {images} embeddings are equal"
        elif most <= first:
            found["α-ReQ"] = (
                f"{images} images of {dimensions} dimensions have {most} eigenvalues, and the fit "
                f"begins at rank {first}"
            )
        if len(np.unique(labels)) == images:
            found["class alignment"] = f"none of {images} classes has two images"
        return [f"{measure} on {data.title}: {reason}" for measure, reason in found.items()]

    def contamination(self, data: EmbeddedDataset) -> tuple[str, ...]:
        """Nothing is learned from the train part, so that its classes do not matter."""
        return (data.seen_classes,) if data.seen_classes else ()

    def describe(self) -> str:
        """Such as "label-free measures"."""
        return "label-free measures"

    def _score(self, data: EmbeddedDataset, device: str) -> list[ProtocolScores]:
        table = data.evaluated
        result = label_free_measures(
            table.features,
            table.labels,
            alpha_ranks=(self.alpha_ranks[0], self.alpha_ranks[1]),
            pair_images=self.pair_images,
            seed=self.pair_seed,
            device=device,
        )
        counts = {"images": result.images}
        if result.images > self.pair_images:
            counts["in pairs"] = self.pair_images
        if result.fitted != self.alpha_ranks[1] - self.alpha_ranks[0] + 1:
            counts["eigenvalues in α"] = result.fitted
        if result.undefined:
            counts["undefined measures"] = len(result.undefined)
        return [
            ProtocolScores(
                {name: Score(mean, result.ci95[name]) for name, mean in result.metrics.items()},
                result.per_image,
                result.ci95_definition,
                counts,
            )
        ]
