"""Embeddings of one dataset by one model, part by part: what protocols and analyses work on."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lowlabel.datasets import GroundTruth, ImageSet, Partial
from lowlabel.datasets.base import VALIDATION
from lowlabel.datasets.io.pixels import Orientation, known_orientation
from lowlabel.datasets.tables.labels import LabelSets
from lowlabel.features.backbone import Backbone
from lowlabel.features.earlier import Earlier
from lowlabel.features.key import FeatureKey
from lowlabel.features.rankings.ranking import Ranking
from lowlabel.features.store import StoredRows, stored_rows
from lowlabel.features.table import EmbeddingTable
from lowlabel.fields import encode

FILE = "file"  # the division of embeddings made elsewhere


@dataclass(frozen=True)
class Embedder:
    """What made the embeddings.

    Attributes:
        name: Name in tables.
        spec: What it was loaded from, without folders.
        weights_sha256: Hash of the weights; for a feature file, of the file; None for a network
            that is trained from labels.
        pooling: From tokens to a vector.
        resolution: Side of the input in pixels; None if unknown.
        dtype: Arithmetic of the forward pass.
        transform: The resolved image transform, as JSON holds it.
        positions: See `Backbone`.
        notes: What was assumed, left out or resampled to load the weights.
        tuning: See `Backbone`.
        epochs: See `Backbone`.
        identities: See `Backbone`.
    """

    name: str
    spec: str
    weights_sha256: str | None
    pooling: str = ""
    resolution: int | None = None
    dtype: str = ""
    transform: dict[str, Any] = field(default_factory=dict)
    positions: str = ""
    notes: tuple[str, ...] = ()
    tuning: dict[str, Any] = field(default_factory=dict)
    epochs: float | None = None
    identities: tuple[str, ...] = ()

    @classmethod
    def of(cls, backbone: Backbone) -> "Embedder":
        """Describes a backbone, under its title."""
        return cls(
            backbone.title,
            backbone.spec,
            backbone.weights_sha256,
            backbone.pooling,
            backbone.transform.side,
            backbone.dtype,
            encode(backbone.transform),
            backbone.positions,
            backbone.notes,
            dict(backbone.tuning),
            backbone.epochs,
            backbone.identities,
        )

    @property
    def orientation(self) -> Orientation:
        """Orientation that the images were read in."""
        return known_orientation(self.transform.get("orientation", "stored"))


@dataclass(frozen=True)
class LeftOut:
    """Images that were left out because a file flags them.

    Attributes:
        file_sha256: Hash of the file.
        reasons: The reasons that were chosen; empty for all.
        counts: Number of images left out, by part.
        rows: Rows of the evaluated part that were left out, rising.
        manifest_sha256: Hash of the scored images (and their gallery) with them.
        unknown: Number of flagged paths that no part holds.
    """

    file_sha256: str
    reasons: tuple[str, ...]
    counts: Mapping[str, int]
    rows: tuple[int, ...]
    manifest_sha256: str
    unknown: int = 0


@dataclass(frozen=True)
class StoredPart:
    """A part that stays in the store and is read by blocks of rows, for sets beyond memory."""

    facts: FeatureKey

    @property
    def key(self) -> str:
        """Its feature key."""
        return self.facts.digest

    @property
    def values_sha256(self) -> str:
        """Hash of its values; see `StoreFile.values_sha256`."""
        with self.rows() as rows:
            return rows.file.values_sha256

    def rows(self) -> AbstractContextManager[StoredRows]:
        """Opens it for reading."""
        return stored_rows(self.facts)


@dataclass(frozen=True)
class EmbeddedDataset:
    """Embeddings by part, with everything that a record says of their origin.

    Attributes:
        embedder: The model.
        name: The dataset's name, without the division.
        title: The dataset's name in tables.
        division: Name of the division.
        evaluated_part: The part that scores are taken on.
        manifest_sha256: Hash of the scored images (and their gallery).
        manifest: What the manifest knows images by: "content"; empty for numbers of a file.
        earlier: The identity of the same embeddings in earlier versions; None if they had none.
        tables: Embeddings in memory, by part, with those of random views of the train part under
            `train_view(number)`. Labels number `class_names` in every part.
        gallery_part: The part that evaluated images are searched in; None for the part itself.
        train_part: The part that methods learn from, if there is one.
        stored: Embeddings that are read by blocks, by part: distractors.
        images: The images of each part in `tables`; empty for numbers of a file.
        class_names: Names of the classes of all parts, sorted; empty for numbers of a file.
        ground_truth: Rows of the gallery that each query is to find; None if labels tell.
        partial: The parts whose counts are not the full dataset's.
        shared_classes: How many evaluated classes the train part holds too, as a sentence; empty if
            none, or if nothing is learned from it.
        seen_classes: How many evaluated classes the model was pretrained on, as a sentence.
        left_out: Number of the files of the folder that were not taken, by suffix.
        path: The folder, as it was named; empty for a dataset that has a name.
        min_images: Images that each class must have; 0 if any number will do.
        small_classes: By part, the classes that have fewer, each with its number of images.
        without: Images that were left out because a file flags them; None for the whole dataset.
        declared: What a user says that embeddings made elsewhere are of; empty if nothing.
        several_labels: Whether `class_names` are sets of labels, joined by "|".
        marks: How many scored images the model's pretraining data hold, a sentence for each file
            that says so.
        ranking: Ranked lists in place of embeddings; the tables then hold labels alone.
    """

    embedder: Embedder
    name: str
    title: str
    division: str
    evaluated_part: str
    manifest_sha256: str
    tables: Mapping[str, EmbeddingTable]
    manifest: str = ""
    earlier: Earlier | None = None
    gallery_part: str | None = None
    train_part: str | None = None
    stored: Mapping[str, StoredPart] = field(default_factory=dict)
    images: Mapping[str, ImageSet] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()
    ground_truth: GroundTruth | None = None
    partial: tuple[Partial, ...] = ()
    shared_classes: str = ""
    seen_classes: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)
    path: str = ""
    min_images: int = 0
    small_classes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    without: LeftOut | None = None
    declared: str = ""
    marks: tuple[str, ...] = ()
    ranking: Ranking | None = None
    several_labels: bool = False

    @property
    def engine(self) -> str:
        """What computed the embeddings, if not torch did: "OpenVINO 2026.4.1"."""
        return ", ".join(sorted({table.engine for table in self.tables.values()} - {""}))

    @property
    def evaluated(self) -> EmbeddingTable:
        """Embeddings of the evaluated part."""
        return self.tables[self.evaluated_part]

    @property
    def gallery(self) -> EmbeddingTable | None:
        """Embeddings of the gallery; None where each image is searched among the others."""
        return self.tables.get(self.gallery_part) if self.gallery_part else None

    @property
    def train(self) -> EmbeddingTable | None:
        """Embeddings to learn from, if they were extracted."""
        return self.tables.get(self.train_part) if self.train_part else None

    @cached_property
    def label_sets(self) -> LabelSets:
        """Which labels the images of each part have, where they have several."""
        numbers = {part: table.labels for part, table in self.tables.items()}
        return LabelSets(self.class_names, numbers)

    @property
    def train_views(self) -> dict[str, EmbeddingTable]:
        """Embeddings of random views of the train part, by the name of their table."""
        names = map(train_view, range(len(self.tables)))
        return {name: self.tables[name] for name in names if name in self.tables}

    @property
    def validation(self) -> EmbeddingTable | None:
        """Embeddings to choose hyper-parameters on, if they were extracted."""
        return None if self.evaluated_part == VALIDATION else self.tables.get(VALIDATION)

    def keys(self, *parts: str | None) -> dict[str, str]:
        """Feature keys of some parts; those that are None or not there are left out."""
        every = {part: table.key for part, table in self.tables.items() if table.key}
        every |= {part: stored.key for part, stored in self.stored.items()}
        return {part: every[part] for part in parts if part in every}

    def values_sha256(self) -> dict[str, str]:
        """Hash of the stored values of every part that has them."""
        found = {part: table.values_sha256 for part, table in self.tables.items()}
        found |= {part: stored.values_sha256 for part, stored in self.stored.items()}
        return {part: digest for part, digest in found.items() if digest}


def train_view(number: int) -> str:
    """Name of the table of a random view of the train part."""
    return f"train view {number}"
