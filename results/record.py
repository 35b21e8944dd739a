"""The record: one model × dataset × protocol × method, its scores and their provenance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from lowlabel.errors import InputError
from lowlabel.fields import encode, grown
from lowlabel.intervals import Interval
from lowlabel.results.decode import NewerFormatError, decode, plain
from lowlabel.results.environment import Environment
from lowlabel.results.experiment import Experiment, Options
from lowlabel.results.metrics import find_metric
from lowlabel.specs import json_sha256

SCHEMA_VERSION = 1


def utc_now() -> str:
    """The current time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Score:
    """A mean and the half width of its 95 % confidence interval, in the metric's unit.

    Attributes:
        mean: None if the run is incomplete.
        ci95: None if the run is incomplete or has no interval: NMI, or a single task. NaN is
            stored as None.
    """

    mean: float | None
    ci95: float | None = None

    def __post_init__(self) -> None:
        if self.ci95 is not None and math.isnan(self.ci95):
            object.__setattr__(self, "ci95", None)
        for name, value in (("mean", self.mean), ("ci95", self.ci95)):
            if value is not None and not math.isfinite(value):
                raise InputError(
                    f"the {name} of a score is {value}; it must be finite",
                    "Use None for an incomplete run.",
                )


@dataclass(frozen=True)
class StoredInterval:
    """One kind of 95 % confidence interval of a score.

    Attributes:
        half_width: In the metric's unit; None where it cannot be computed.
        definition: The formula with its numbers, or why it cannot be computed.
    """

    half_width: float | None
    definition: str

    @classmethod
    def of(cls, interval: Interval) -> "StoredInterval":
        """An interval as a record holds it; NaN and infinity are stored as None."""
        finite = math.isfinite(interval.half_width)
        return cls(interval.half_width if finite else None, interval.definition)


def stored_intervals(
    intervals: Mapping[str, Mapping[str, Interval]],
) -> dict[str, dict[str, StoredInterval]]:
    """The intervals of each metric and kind as a record holds them."""
    return {
        metric: {kind: StoredInterval.of(each) for kind, each in kinds.items()}
        for metric, kinds in intervals.items()
    }


@dataclass(frozen=True)
class Record:
    """One stored result: the source of tables, comparisons and checks.

    Attributes:
        experiment: What was measured.
        scores: Score by metric: "accuracy", "recall@1", "map@r", ….
        ci95_definition: Formula of the intervals of `scores`: "1.96·σ/√n over tasks, ddof 1".
        counts: Number of scored items by kind: {"tasks": 10000}, {"queries": 5924, "lone": 0}.
        environment: Versions, commit and device.
        task_hash: Hash of the sampled tasks; None if no tasks are sampled.
        wall_s: Seconds from features to scores.
        peak_memory_mb: Largest resident size in MiB.
        contamination: Reasons why the model may have seen the evaluation images; empty if none.
        complete: False for an interrupted run: its scores are left out of every table.
        created: UTC time, ISO 8601.
        chosen: What tuning or validation chose, with the scores of what it tried:
            {"method": "logreg,c=0.1", "tried": {"logreg,c=0.1": 63.2, …}}. Not in the identity.
        left_out: Number of files in the dataset's folder that were not taken, by suffix. Not in
            the identity.
        command: The command that repeats the scores, with files by their names alone. Not in the
            identity.
        intervals: Every interval that was computed, by metric and kind: {"accuracy": {"tasks": …,
            "images": …}}. Empty in records of versions that had one kind. Not in the identity.
        interval: The kind that `scores` and tables show; empty like `intervals`. Not in the
            identity.
        features_sha256: Hash of the feature values of each part of `experiment.feature_keys`, as
            they were stored when the scores were computed. Not in the identity.
        deterministic: Whether the decisions follow from the features and the seeded tasks alone:
            nothing else is drawn at random, and nothing iterated to a limit. Not in the identity.
        per_item_sha256: SHA-256 of the scores of every task, query or image that stand beside it.
        content_sha256: SHA-256 of all other fields. Like the hash above, given when a record is
            saved, and empty in files of versions that had none.
    """

    experiment: Experiment
    scores: dict[str, Score]
    ci95_definition: str
    counts: dict[str, int]
    environment: Environment
    task_hash: str | None = None
    wall_s: float | None = None
    peak_memory_mb: float | None = None
    contamination: tuple[str, ...] = ()
    complete: bool = True
    created: str = field(default_factory=utc_now)
    chosen: Options = grown({})
    left_out: dict[str, int] = grown({})
    command: str = grown("")
    intervals: dict[str, dict[str, StoredInterval]] = grown({})
    interval: str = grown("")
    features_sha256: dict[str, str] = grown({})
    deterministic: bool = grown(False)
    per_item_sha256: str = grown("", compare=False)
    content_sha256: str = grown("", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "chosen", plain(self.chosen, "chosen"))

    def identity(self) -> str:
        """The identity of the experiment. Records with equal identities are the same experiment."""
        return self.experiment.identity()

    @property
    def has_fields_of_hashed_records(self) -> bool:
        """Whether it has a field that no version without hashes wrote."""
        dataset = self.experiment.dataset
        later = (self.intervals, self.features_sha256, self.deterministic)
        return any((self.per_item_sha256, dataset.manifest, self.left_out, *later))

    @property
    def row_label(self) -> str:
        """The method's row in a leaderboard: its spec, or "logreg (tuned)" whatever was chosen."""
        method = self.experiment.method
        return f"{method.spec} (tuned)" if method.is_tuned else method.spec

    @property
    def method_label(self) -> str:
        """The method alone: its spec, or "logreg,c=0.1 (tuned)", as chosen by tuning."""
        method = self.experiment.method
        if not method.is_tuned:
            return method.spec
        return f"{self.chosen.get('method', method.spec)} (tuned)"

    def score(self, metric: str) -> Score:
        """The score of a metric; empty if it is missing or the run is incomplete."""
        return self.scores.get(metric, Score(None)) if self.complete else Score(None)

    def says_something(self, metric: str) -> bool:
        """Whether a metric tells classifiers apart: not Top-5 of five classes, which is 100."""
        guesses = find_metric(metric).guesses
        return guesses == 1 or self.counts.get("classes", self.experiment.dataset.classes) > guesses

    @property
    def shown(self) -> tuple[str, ...]:
        """The metrics of `scores` that tables show."""
        return tuple(filter(self.says_something, self.scores))

    def half_width(self, metric: str, kind: str) -> float | None:
        """Half-width of one kind of interval of a score; None if the record has none."""
        found = self.intervals.get(metric, {}).get(kind)
        return found.half_width if found else None

    def has_interval(self, kind: str) -> bool:
        """Whether it has a kind of interval for some metric; True for the empty kind."""
        return not kind or any(kind in kinds for kinds in self.intervals.values())

    def showing(self, kind: str) -> "Record":
        """The record with another kind of interval in `scores`; as it is if it has none of it.

        A metric that has one kind alone, as the seeds of clusters, shows that.
        """
        if kind == self.interval or not self.has_interval(kind):
            return self
        by_metric = {
            name: kinds.get(kind) or next(iter(kinds.values()))
            for name, kinds in self.intervals.items()
            if kind in kinds or len(kinds) == 1
        }
        scores = {
            name: Score(score.mean, by_metric[name].half_width if name in by_metric else None)
            for name, score in self.scores.items()
        }
        definition = "; ".join(dict.fromkeys(each.definition for each in by_metric.values()))
        return replace(self, scores=scores, ci95_definition=definition, interval=kind)

    def to_json(self) -> dict[str, object]:
        """The record as a JSON object."""
        return {"schema_version": SCHEMA_VERSION, "identity": self.identity(), **encode(self)}

    def sealed(self, per_item_sha256: str) -> "Record":
        """The record with its hashes."""
        record = replace(self, per_item_sha256=per_item_sha256, content_sha256="")
        return replace(record, content_sha256=_content_hash(encode(record)))

    @classmethod
    def from_json(cls, data: object) -> "Record":
        """The inverse of `to_json`.

        Raises:
            NewerFormatError: If it has another schema version or an unknown field.
            ValueError: If it is not a record, or was changed by hand.
        """
        if not isinstance(data, dict) or "schema_version" not in data:
            raise ValueError("not a record of lowlabel")
        body = dict(data)
        version, identity = body.pop("schema_version"), body.pop("identity", None)
        if version != SCHEMA_VERSION:
            raise NewerFormatError(
                f"schema version {version}; this lowlabel reads version {SCHEMA_VERSION}"
            )
        record = decode(cls, body, "record")
        if identity != record.identity():
            raise ValueError("its identity does not match its experiment: the file was changed")
        if record.content_sha256 and record.content_sha256 != _content_hash(body):
            raise ValueError("its fields do not match their hash: the file was changed")
        if not record.content_sha256 and record.has_fields_of_hashed_records:
            raise ValueError("its fields have lost their hash: the file was changed")
        return record


def _content_hash(fields: dict[str, object]) -> str:
    """SHA-256 of a record's JSON without schema version, identity and this hash."""
    covered = {name: value for name, value in fields.items() if name != "content_sha256"}
    return json_sha256(covered)
