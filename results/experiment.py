"""What was measured: everything that determines a number, and nothing else."""

import hashlib
from dataclasses import dataclass, field

from lowlabel.results.decode import encode, grown, plain
from lowlabel.specs import canonical_json

Options = dict[str, object]


@dataclass(frozen=True)
class ProtocolInfo:
    """How scores are taken.

    Attributes:
        name: The name in tables: "5-way 1-shot", "dml-zeroshot".
        version: Raised when the same options would give other numbers.
        options: Every choice: ways, shots, queries, tasks, seed, ks, ties, the CI's definition, …
    """

    name: str
    version: int
    options: Options = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", plain(self.options, "protocol.options"))


@dataclass(frozen=True)
class ModelInfo:
    """The embedder and how it was applied.

    Attributes:
        name: The name in tables.
        spec: What it was loaded from, without folders: "timm:NAME,option=value", "file:ARCH".
        weights_sha256: Hash of the weights; None for a model that has none ("pixels").
        pooling: "cls", "mean", "gem", …
        resolution: Side of the input in pixels; None for embeddings made elsewhere.
        dtype: Arithmetic of the forward pass: "float32", "bfloat16".
        transform: The resolved image transform: {"resize": 256, "crop": 224, …}.
    """

    name: str
    spec: str
    weights_sha256: str | None
    pooling: str
    resolution: int | None
    dtype: str
    transform: Options = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "transform", plain(self.transform, "model.transform"))


@dataclass(frozen=True)
class Counts:
    """How many images and classes there are; None where it is not their classes that count."""

    images: int
    classes: int | None = None


@dataclass(frozen=True)
class Partial:
    """A part of a data set whose counts are not the full set's."""

    part: str
    found: Counts
    expected: Counts

    def __str__(self) -> str:
        found, expected = self.found, self.expected
        text = f"{self.part} {found.images:,} of {expected.images:,} images"
        if found.classes is None or expected.classes is None:
            return text
        return f"{text} ({found.classes:,} of {expected.classes:,} classes)"


@dataclass(frozen=True)
class DatasetInfo:
    """The images that were scored.

    Attributes:
        name: The registered name, without the scheme: "cub".
        title: The honest name in tables: "CUB 100-class subset".
        split: The part that scores are taken on: "novel", "test".
        scheme: The named way of dividing: "closerlook", "dml-zeroshot".
        manifest_sha256: Hash of every scored image's name, class and size.
        images: Number of images scored.
        classes: Number of classes scored.
        partial: The parts used that are not the full set's; empty for the full set.
        bad_images: Images left out because they could not be read.
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


@dataclass(frozen=True)
class MethodInfo:
    """What turned embeddings into scores.

    Attributes:
        spec: "ncm,norm=cl2n"; for retrieval the similarity, "cosine".
        options: Every option with its value, defaults included. "tuned" is a mapping that says on
            what the options were chosen: {"part": "val", "tasks": 500, "seed": 0}. The record
            holds what was chosen; in older records "tuned" is text that holds both.
        transductive: Whether the queries of a task are classified together.
        version: Raised when a correction changes the scores at the same options.
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
        """Whether `spec` and `options` are as asked for, and the record holds what was chosen."""
        return isinstance(self.options.get("tuned"), dict)


@dataclass(frozen=True)
class Experiment:
    """One model × data set × protocol × method, known before anything is computed.

    Attributes:
        suite: "fewshot", "classification" or "retrieval".
        protocol: How scores are taken.
        model: The embedder.
        dataset: The images.
        method: What turned embeddings into scores.
        feature_keys: Key in the feature store for each part that was used.
    """

    suite: str
    protocol: ProtocolInfo
    model: ModelInfo
    dataset: DatasetInfo
    method: MethodInfo
    feature_keys: dict[str, str]

    def identity(self) -> str:
        """SHA-256 of what determines the numbers: equal for two runs of the same experiment.

        What is only shown (the model's name, the data set's title and what it lacks of the full
        set, which the manifests imply) does not enter.
        """
        facts = encode(self)
        del facts["model"]["name"], facts["dataset"]["title"], facts["dataset"]["partial"]
        return hashlib.sha256(canonical_json(facts).encode()).hexdigest()
