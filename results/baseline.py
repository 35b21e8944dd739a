"""A baseline: the numbers that later runs are held against, as a JSON file that is committed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lowlabel.errors import DataError, InputError
from lowlabel.paths import atomic_write
from lowlabel.results.decode import NewerFormatError, decode, encode
from lowlabel.results.grid import newest
from lowlabel.results.record import Record

BASELINE_VERSION = 1
Facts = dict[str, object]
ABSENT: Facts = {"method_version": 1, "tuned": None}


@dataclass(frozen=True)
class BaselineEntry:
    """One number.

    Attributes:
        suite: "fewshot" or "retrieval".
        dataset: The data set's name.
        protocol: The protocol's name.
        model: The model's name.
        method: The method's spec.
        metric: "accuracy", "recall@1", ….
        facts: What must be equal for the number to be comparable: split, scheme, manifest and
            weights hashes, preprocessing, versions, protocol options (tasks, seed, …).
        mean: In percent.
        ci95: Half width of the 95 % interval, for the reader.
        tolerance: Points by which a later mean may lie below `mean`.
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

    def __str__(self) -> str:
        names = (self.dataset, self.protocol, self.model, self.method, self.metric)
        return " · ".join(names)


@dataclass(frozen=True)
class Baseline:
    """The entries, in the order of the records that they were made from."""

    entries: tuple[BaselineEntry, ...]

    def save(self, path: Path) -> None:
        """Writes the JSON, whole or not at all."""
        data = {"baseline_version": BASELINE_VERSION, **encode(self)}
        with atomic_write(path) as temporary:
            text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Baseline":
        """Reads the JSON.

        Raises:
            DataError: If the file is missing, damaged, empty or of another version.
        """
        try:
            return _from_json(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise DataError(
                f"cannot read the baseline {path}: {error.strerror or error}",
                f"Make one with `lowlabel check {path} --update`.",
            ) from error
        except NewerFormatError as error:
            raise DataError(
                f"the baseline {path} cannot be used: {error}", "Update lowlabel."
            ) from error
        except ValueError as error:
            raise DataError(
                f"the baseline {path} cannot be used: {error}",
                f"Restore the committed file, or make it anew: `lowlabel check {path} --update`.",
            ) from error


def make_baseline(
    records: Sequence[Record], tolerance: float, metrics: Sequence[str] | None = None
) -> Baseline:
    """A baseline of all complete scores.

    Args:
        records: Where the numbers come from; all must be complete.
        tolerance: Points by which a later mean may lie below, ≥ 0.
        metrics: Those to hold; None for all.

    Raises:
        InputError: If there is nothing to hold, a run is incomplete, or the tolerance is negative.
    """
    if not tolerance >= 0:
        raise InputError(f"tolerance is {tolerance}; it must be 0 or more points")
    incomplete = [r for r in records if not r.complete]
    if incomplete:
        e = incomplete[0].experiment
        raise InputError(
            f"{len(incomplete)} of {len(records)} runs are incomplete, among them"
            f" {e.model.name} with {e.method.spec} on {e.dataset.name}",
            "Give the same `lowlabel run` again to finish them.",
        )
    entries = tuple(
        _entry(record, metric, score.mean, score.ci95, tolerance)
        for record in newest(records)
        for metric, score in record.scores.items()
        if score.mean is not None and (metrics is None or metric in metrics)
    )
    if not entries:
        raise InputError(f"none of {len(records)} records has a score to hold")
    return Baseline(entries)


def comparable_facts(record: Record) -> Facts:
    """What must be equal for two means of the same names to be comparable.

    A fact that older baselines lack is absent while it has its value of then; see `ABSENT`.
    """
    e = record.experiment
    grown = {
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
    record: Record, metric: str, mean: float, ci95: float | None, tolerance: float
) -> BaselineEntry:
    e = record.experiment
    names = (e.suite, e.dataset.name, e.protocol.name, e.model.name, e.method.spec, metric)
    return BaselineEntry(*names, comparable_facts(record), mean, ci95, tolerance)


def _from_json(data: object) -> Baseline:
    if not isinstance(data, dict) or data.pop("baseline_version", None) != BASELINE_VERSION:
        raise ValueError(f"it is no baseline of version {BASELINE_VERSION}")
    baseline = decode(Baseline, data, "baseline")
    if not baseline.entries:
        raise ValueError("it has no entries")
    return baseline
