"""Baselines: committed JSON files of scores that later records are checked against."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lowlabel.errors import DataError, InputError
from lowlabel.fields import encode, grown
from lowlabel.paths import write_file
from lowlabel.reading import reading
from lowlabel.results.decode import NewerFormatError, decode
from lowlabel.results.grid import newest
from lowlabel.results.metrics import find_metric
from lowlabel.results.record import Record
from lowlabel.results.tolerance import tolerance_of
from lowlabel.specs import json_sha256

BASELINE_VERSION = 1
Facts = dict[str, object]
ABSENT: Facts = {"method_version": 1, "tuned": None, "manifest": "", "without": None}


@dataclass(frozen=True)
class BaselineEntry:
    """One score of a baseline.

    Attributes:
        suite: "fewshot", "classification" or "retrieval".
        dataset: Name of the dataset.
        protocol: Name of the protocol.
        model: Name of the model.
        method: Spec of the method.
        metric: "accuracy", "recall@1", ….
        facts: What a record must share to be comparable: split, division, manifest and weights
            hashes, preprocessing, versions, protocol options (tasks, seed, …).
        mean: In the unit of the metric.
        ci95: Half width of the 95 % interval, for the reader.
        tolerance: How much worse a later mean may be, in the unit of the metric, where it need not
            be equal.
        deterministic: See `Record`. With equal features a later score must be equal; False in
            baselines of versions that had no such rule.
        features_sha256: See `Record`.
    """

    suite: str
    dataset: str
    protocol: str
    model: str
    method: str
    metric: str
    facts: Facts
    mean: float
    ci95: float | None
    tolerance: float
    deterministic: bool = grown(False)
    features_sha256: dict[str, str] = grown({})

    def __post_init__(self) -> None:
        numbers = {"mean": self.mean, "ci95": self.ci95, "tolerance": self.tolerance}
        for name, value in numbers.items():
            if value is not None and not math.isfinite(value):
                raise ValueError(f"the {name} of {self} is {value}; it must be finite")
        if self.tolerance < 0:
            raise ValueError(f"the tolerance of {self} is {self.tolerance}; it must be 0 or more")

    @property
    def row_label(self) -> str:
        """The method's row in a leaderboard; see `Record.row_label`."""
        return f"{self.method} (tuned)" if self.facts.get("tuned") else self.method

    def __str__(self) -> str:
        names = (self.dataset, self.protocol, self.model, self.row_label, self.metric)
        return " · ".join(names)


@dataclass(frozen=True)
class Baseline:
    """Entries, in the order of their records."""

    entries: tuple[BaselineEntry, ...]

    def save(self, path: Path) -> None:
        """Writes the JSON with a hash of the entries, atomically."""
        entries = encode(self)
        hashed = {"content_sha256": json_sha256(entries)}
        data = {"baseline_version": BASELINE_VERSION, **hashed, **entries}
        write_file(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Baseline":
        """Reads the JSON.

        Raises:
            DataError: If the file is missing, damaged, empty, edited or of another version. Files
                of versions without a hash are not checked for edits.
        """
        fix = f"Restore the committed file, or run `lowlabel check {path} --update`."
        with reading(path, f"cannot use the baseline {path}", fix):
            try:
                return _from_json(json.loads(path.read_text(encoding="utf-8")))
            except FileNotFoundError as error:
                raise DataError(
                    f"cannot read the baseline {path}: {error.strerror}",
                    f"Make one with `lowlabel check {path} --update`.",
                ) from error
            except NewerFormatError as error:
                raise DataError(
                    f"cannot use the baseline {path}: {error}", "Update lowlabel."
                ) from error


def make_baseline(
    records: Sequence[Record],
    tolerance: float | None = None,
    metrics: Sequence[str] | None = None,
) -> Baseline:
    """Makes a baseline of the scores of records.

    Args:
        records: The records; all must be complete.
        tolerance: How much worse a later mean may be, in the unit of the metric; ≥ 0. None for
            what each score gives itself; see `tolerance_of`. Deterministic scores of equal features
            are held to be equal whatever it is.
        metrics: Metrics to include; None for all.

    Raises:
        InputError: If there are no scores, a run is incomplete, or the tolerance is negative.
    """
    if tolerance is not None and not 0 <= tolerance < math.inf:
        raise InputError(f"tolerance is {tolerance}; it must be finite and 0 or more")
    incomplete = [r for r in records if not r.complete]
    if incomplete:
        e = incomplete[0].experiment
        raise InputError(
            f"{len(incomplete)} of {len(records)} runs are incomplete, among them"
            f" {e.model.name} with {e.method.spec} on {e.dataset.name}",
            "Repeat the `lowlabel run` that made them to finish them.",
        )
    entries = tuple(
        _entry(record, metric, score.mean, score.ci95, tolerance)
        for record in newest(records)
        for metric, score in record.scores.items()
        if score.mean is not None and (metrics is None or metric in metrics)
    )
    if not entries:
        raise InputError(f"none of {len(records)} records has a score for the baseline")
    return Baseline(entries)


def comparable_facts(record: Record) -> Facts:
    """What must be equal for two means of the same names to be comparable.

    Facts that older baselines lack are left out while they have the value in `ABSENT`.
    """
    e = record.experiment
    grown = {
        "manifest": e.dataset.manifest,
        "without": encode(e.dataset.without),
        "method_version": e.method.version,
        "tuned": e.method.options["tuned"] if e.method.is_tuned else None,
    }
    return {
        "scheme": e.dataset.scheme,
        "split": e.dataset.split,
        "manifest_sha256": e.dataset.manifest_sha256,
        "bad_images": e.dataset.bad_images,
        "weights_sha256": e.model.weights_sha256,
        "pooling": e.model.pooling,
        "resolution": e.model.resolution,
        "transform": e.model.transform,
        "dtype": e.model.dtype,
        "protocol_version": e.protocol.version,
        **{f"protocol.{name}": value for name, value in e.protocol.options.items()},
        **{name: value for name, value in grown.items() if value != ABSENT[name]},
    }


def _entry(
    record: Record, metric: str, mean: float, ci95: float | None, tolerance: float | None
) -> BaselineEntry:
    e = record.experiment
    names = (e.suite, e.dataset.name, e.protocol.name, e.model.name, e.method.spec, metric)
    return BaselineEntry(
        *names,
        comparable_facts(record),
        mean,
        ci95,
        tolerance_of(record, metric) if tolerance is None else tolerance,
        record.deterministic and find_metric(metric).counts,
        record.features_sha256,
    )


def _from_json(data: object) -> Baseline:
    if not isinstance(data, dict) or data.pop("baseline_version", None) != BASELINE_VERSION:
        raise ValueError(f"not a baseline of version {BASELINE_VERSION}")
    found = data.pop("content_sha256", None)
    if found is not None and found != json_sha256(data):
        raise ValueError("its entries do not match their hash: the file was edited")
    baseline = decode(Baseline, data, "baseline")
    if not baseline.entries:
        raise ValueError("no entries")
    return baseline
