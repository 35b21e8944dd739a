"""Protocols that learn from the train part of a division and are scored on other images of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from lowlabel.benchmarks.protocols.base import Protocol, without_groups
from lowlabel.datasets import Division
from lowlabel.errors import InputError
from lowlabel.features import EmbeddedDataset, check_feature_file
from lowlabel.features.embedded import FILE
from lowlabel.features.made_elsewhere.train_file import with_train_features
from lowlabel.features.table import EmbeddingTable


@dataclass(frozen=True, kw_only=True)
class Supervised(Protocol):
    """What these protocols have in common.

    Attributes:
        train_features: A file of embeddings to learn from, for embeddings made elsewhere.
        interval: What the 95 % confidence intervals in tables are over; records have all.
    """

    suite: ClassVar[str] = "classification"
    takes: ClassVar[str] = (
        "a train part with the classes of the evaluated part, such as cub:classification-split, "
        "demo:classification or a folder with train/ and test/ or val/"
    )
    chooses: ClassVar[bool] = False  # whether hyper-parameters are chosen

    train_features: Path | None = None
    interval: Literal["images", "groups", "classes"] = "images"

    def __post_init__(self) -> None:
        if self.train_features is not None:
            check_feature_file(self.train_features, "--train-features")

    def needs(self, division: Division) -> tuple[str, ...]:
        """The train part, the validation part if something is chosen, the evaluated part."""
        if division.kind != "classes" and not (division.kind == "labels" and self.several_labels):
            return ()
        if self.train_features is not None and division.name == FILE:
            return (division.evaluated,)
        shares = division.shared_classes or division.kind == "labels"
        if not shares or division.train_part is None:
            return ()
        choice = division.validation_part if self.chooses else None
        return tuple(filter(None, (division.train_part, choice, division.evaluated)))

    def unfit(self, division: Division) -> str | None:
        """A file to learn from goes with a file to score: labels of images have other numbers."""
        if self.train_features is not None and division.name != FILE:
            return "--train-features goes with --features: leave it out to learn from images."
        return without_groups(division) if self.interval == "groups" else None

    def prepared(self, data: EmbeddedDataset) -> EmbeddedDataset:
        """Takes the file of embeddings to learn from."""
        if self.train_features is None or data.division != FILE:
            return data
        return with_train_features(data, self.train_features)

    def contamination(self, data: EmbeddedDataset) -> tuple[str, ...]:
        """Classes of the train part are scored on purpose."""
        return (data.seen_classes,) if data.seen_classes else ()

    def protocol_name(self, data: EmbeddedDataset) -> str:
        """Such as "train → test"."""
        several = ", several labels" if data.several_labels else ""
        return f"{data.train_part} → {data.evaluated_part}{several}"


def train_table(data: EmbeddedDataset) -> EmbeddingTable:
    """Embeddings to learn from; an `InputError` if there are none."""
    if data.train is None:
        raise InputError(
            f"{data.title} has no embeddings to learn from",
            "Add base_features and base_labels to the file, or --train-features FILE.",
        )
    return data.train
