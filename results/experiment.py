"""Everything that determines a score, and nothing else."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

from lowlabel.errors import number_of
from lowlabel.fields import encode, grown
from lowlabel.results.decode import plain
from lowlabel.specs import canonical_json

Options = dict[str, object]
OUTSIDE = ("name", "notes", "tuning", "epochs", "identities")  # of a model's identity


@dataclass(frozen=True)
class ProtocolInfo:
    """The protocol of a score.

    Attributes:
        name: Name in tables: "5-way 1-shot", "dml-zeroshot".
        version: Raised when a change gives other scores at the same options.
        options: Every option: ways, shots, queries, tasks, seed, ks, ties, interval, …
    """

    name: str
    version: int
    options: Options = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", plain(self.options, "protocol.options"))


@dataclass(frozen=True)
class ModelInfo:
    """The embedding model and how it was applied.

    Attributes:
        name: Name in tables.
        spec: Source of the model, without folders: "timm:NAME,option=value", "file:ARCH".
        weights_sha256: Hash of the weights; None for a model without weights.
        pooling: "cls", "mean", "gem", …
        resolution: Side of the input in pixels; None for embeddings made elsewhere.
        dtype: Number format of the forward pass: "float32", "bfloat16".
        transform: The resolved image transform: {"resize": 256, "crop": 224, …}.
        positions: "dino" if position embeddings are resampled by DINO's rule, not timm's.
        notes: What was assumed, left out or resampled to load the weights. Not in the identity.
        tuning: What a tuned model was tuned from, with and on: {"base_model": "timm:NAME", "loss":
            "margin", "dataset": "cub:dml-zeroshot", …}. Not in the identity, which has its weights.
        epochs: Passes over the images that the pretraining had made, if the weights file says so.
            Not in the identity.
        identities: Names of the published weights that it has, however it was loaded:
            "timm:vit_small_patch16_224.dino", "recipe:ssl-vit mini". Not in the identity.
    """

    name: str
    spec: str
    weights_sha256: str | None
    pooling: str
    resolution: int | None
    dtype: str
    transform: Options = field(default_factory=dict)
    positions: str = grown("")
    notes: tuple[str, ...] = grown(())
    tuning: Options = grown({})
    epochs: float | None = grown(None)
    identities: tuple[str, ...] = grown(())

    def __post_init__(self) -> None:
        object.__setattr__(self, "transform", plain(self.transform, "model.transform"))
        object.__setattr__(self, "tuning", plain(self.tuning, "model.tuning"))


@dataclass(frozen=True)
class Counts:
    """Number of images and classes; `classes` is None where classes are not counted."""

    images: int
    classes: int | None = None


@dataclass(frozen=True)
class Partial:
    """A part of a dataset whose counts differ from the full dataset."""

    part: str
    found: Counts
    expected: Counts

    def __str__(self) -> str:
        found, expected = self.found, self.expected
        text = f"{self.part} {found.images:,} of {number_of(expected.images, 'images')}"
        if found.classes is None or expected.classes is None:
            return text
        return f"{text} ({found.classes:,} of {number_of(expected.classes, 'classes')})"


@dataclass(frozen=True)
class Without:
    """Images that were left out because a file flags them.

    Attributes:
        file_sha256: Hash of the file.
        reasons: The reasons that were chosen; empty for all.
        counts: Number of images left out of each part that the score depends on.
        rows: Rows of the evaluated part that were left out, rising.
        manifest_sha256: The manifest of the whole dataset.
        unknown: Number of flagged paths that no part holds.
    """

    file_sha256: str
    reasons: tuple[str, ...]
    counts: dict[str, int]
    rows: tuple[int, ...]
    manifest_sha256: str
    unknown: int = 0

    @property
    def flags(self) -> str:
        """What flags the images: "1a2b3c4d outlier"."""
        return " ".join((self.file_sha256[:8], *self.reasons))

    def __str__(self) -> str:
        counts = ", ".join(f"{count:,} of {part}" for part, count in self.counts.items())
        chosen = f" as {' or '.join(self.reasons)}" if self.reasons else ""
        return f"{counts}, flagged{chosen} by the file {self.file_sha256[:8]}"


@dataclass(frozen=True)
class DatasetInfo:
    """The evaluated images.

    Attributes:
        name: Registered name, without the division: "cub".
        title: Name in tables, true to the data: "CUB 100-class subset".
        split: Evaluated part: "novel", "test".
        scheme: Name of the division: "closerlook", "dml-zeroshot".
        manifest_sha256: Hash of the name, class and content of every evaluated image.
        images: Number of evaluated images.
        classes: Number of evaluated classes.
        partial: Parts whose counts differ from the full dataset; empty for the full dataset.
        bad_images: Number of images left out because they could not be read.
        manifest: What the manifest knows images by: "content"; empty for the size in bytes, in
            older records, and for embeddings made elsewhere, whose manifest is the file's hash.
        without: Images that were left out because a file flags them; None for the whole dataset.
        min_images: Images that each class must have; 0 if any number will do.
        small_classes: The classes that have fewer and were left out, each with its number of
            images.
        path: The folder, as the run named it; empty for a dataset that has a name. Not in the
            identity.
        declared: What a user says that embeddings made elsewhere are of, with the published model:
            "mini-imagenet:ravi,model=dc-wrn-28-10". Empty if nothing was declared.
        groups: Hash of the groups of the images (patients, cameras, bursts), which tasks, ignored
            images and intervals depend on; empty if they have none.
    """

    name: str
    title: str
    split: str
    scheme: str
    manifest_sha256: str
    images: int
    classes: int
    partial: tuple[Partial, ...] = ()
    bad_images: int = 0
    manifest: str = grown("")
    without: Without | None = grown(None)
    min_images: int = grown(0)
    small_classes: dict[str, int] = grown({})
    path: str = grown("", compare=False)
    declared: str = grown("")
    groups: str = grown("")

    @property
    def published_as(self) -> tuple[str, str]:
        """The dataset and the division that published numbers are of, as declared."""
        if not self.declared:
            return self.name, self.scheme
        name, _, scheme = self.declared.partition(",")[0].rpartition(":")
        return name, scheme

    @property
    def whole_manifest(self) -> str:
        """The manifest of the evaluated images before any were left out."""
        return self.without.manifest_sha256 if self.without else self.manifest_sha256


@dataclass(frozen=True)
class MethodInfo:
    """The method that turns embeddings into scores.

    Attributes:
        spec: "ncm,norm=cl2n"; for retrieval the similarity, "cosine".
        options: Every option with its value, defaults included. "tuned" says where options were
            tuned, {"part": "val", "tasks": 500, "seed": 0}; `Record.chosen` has the result. In
            older records "tuned" is a text with both, and `spec` is the chosen method.
        transductive: Whether the queries of a task are classified together.
        version: Raised when a correction gives other scores at the same options.
    """

    spec: str
    options: Options = field(default_factory=dict)
    transductive: bool = False
    version: int = grown(1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", plain(self.options, "method.options"))

    @property
    def name(self) -> str:
        """The method without its options."""
        return self.spec.partition(",")[0]

    @property
    def is_tuned(self) -> bool:
        """Whether options were tuned, with the result in `Record.chosen`."""
        return isinstance(self.options.get("tuned"), dict)


@dataclass(frozen=True)
class Experiment:
    """One model × dataset × protocol × method, known before anything is computed.

    Attributes:
        suite: "fewshot", "classification" or "retrieval".
        protocol: The protocol.
        model: The embedding model.
        dataset: The evaluated images.
        method: The method.
        feature_keys: Key in the feature store of each part used.
    """

    suite: str
    protocol: ProtocolInfo
    model: ModelInfo
    dataset: DatasetInfo
    method: MethodInfo
    feature_keys: dict[str, str]

    def identity(self) -> str:
        """SHA-256 of everything that determines the scores: equal for runs of one experiment.

        Display fields are left out: the name of the model, how its weights were read or tuned and
        how long it was pretrained, the title and the path of the dataset, and its partial counts,
        which follow from the manifest.
        """
        return self._identity

    @cached_property
    def _identity(self) -> str:
        facts = encode(self)
        for name in OUTSIDE:
            facts["model"].pop(name, None)
        facts["dataset"].pop("path", None)
        del facts["dataset"]["title"], facts["dataset"]["partial"]
        return hashlib.sha256(canonical_json(facts).encode()).hexdigest()
