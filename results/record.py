"""The record: one model × data set × protocol × method, its scores and where they come from."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lowlabel.errors import InputError
from lowlabel.results.decode import NewerFormatError, decode, encode, grown, plain
from lowlabel.results.environment import Environment
from lowlabel.results.experiment import Experiment, Options

SCHEMA_VERSION = 1


def utc_now() -> str:
    """The time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Score:
    """A mean and its 95 % confidence interval's half width, in percent.

    Attributes:
        mean: None where the run is incomplete.
        ci95: None where the run is incomplete or there is no interval: NMI, or a single task. NaN
            is taken for None.
    """

    mean: float | None
    ci95: float | None = None

    def __post_init__(self) -> None:
        if self.ci95 is not None and math.isnan(self.ci95):
            object.__setattr__(self, "ci95", None)
        for name, value in (("mean", self.mean), ("ci95", self.ci95)):
            if value is not None and not math.isfinite(value):
                raise InputError(f"a score's {name} is {value}", "Leave it None if incomplete.")


@dataclass(frozen=True)
class Record:
    """What tables, comparisons and checks are made from.

    Attributes:
        experiment: What was measured.
        scores: By metric: "accuracy", "recall@1", "map@r", ….
        ci95_definition: How the intervals were computed: "1.96·σ/√n over tasks, ddof 1".
        counts: What was scored: {"tasks": 10000}, or {"queries": 5924, "lone": 0}.
        environment: Versions, commit, device.
        task_hash: Hash of the sampled tasks; None where the images themselves are the queries.
        wall_s: Seconds, from features to scores.
        peak_memory_mb: Largest resident size in MiB.
        contamination: Why the model may have seen what it is scored on; empty if it did not.
        complete: False for a run that was cut short: its scores stay out of every table.
        created: UTC time, ISO 8601.
        chosen: What tuning or validation chose, with the scores of what it tried:
            {"method": "logreg,c=0.1", "tried": {"logreg,c=0.1": 63.2, …}}. Not in the identity.
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "chosen", plain(self.chosen, "chosen"))

    def identity(self) -> str:
        """The experiment's identity: two records with one identity are the same experiment."""
        return self.experiment.identity()

    @property
    def method_label(self) -> str:
        """The method in tables: its spec, or "logreg,c=0.1 (tuned)", as chosen by tuning."""
        method = self.experiment.method
        if not method.is_tuned:
            return method.spec
        return f"{self.chosen.get('method', method.spec)} (tuned)"

    def score(self, metric: str) -> Score:
        """The score of a metric, empty where it was not taken or the run is incomplete."""
        return self.scores.get(metric, Score(None)) if self.complete else Score(None)

    def to_json(self) -> dict[str, object]:
        """The record as JSON holds it."""
        return {"schema_version": SCHEMA_VERSION, "identity": self.identity(), **encode(self)}

    @classmethod
    def from_json(cls, data: object) -> "Record":
        """The inverse of `to_json`.

        Raises:
            ValueError: If it is no record, one of another schema, or one whose experiment was
                changed by hand.
        """
        if not isinstance(data, dict) or "schema_version" not in data:
            raise ValueError("it is no record of lowlabel")
        body = dict(data)
        version, identity = body.pop("schema_version"), body.pop("identity", None)
        if version != SCHEMA_VERSION:
            raise NewerFormatError(
                f"it has schema version {version}, this lowlabel reads only {SCHEMA_VERSION}"
            )
        record = decode(cls, body, "record")
        if identity != record.identity():
            raise ValueError("its identity does not belong to the experiment that it describes")
        return record
