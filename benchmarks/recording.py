"""From trials to records: an experiment that has a record is read, any other is run and saved."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lowlabel.benchmarks.earlier import take_over_record
from lowlabel.benchmarks.overlap import OVERLAPS
from lowlabel.benchmarks.protocols import ProtocolScores, Trial
from lowlabel.benchmarks.without import LEAKED
from lowlabel.devices import describe_device, peak_memory_mb, resolve_device
from lowlabel.features import Earlier
from lowlabel.results import (
    Experiment,
    Record,
    describe_environment,
    find_records,
    record_path,
    save_changed,
    save_record,
    stored_intervals,
)


@dataclass(frozen=True)
class About:
    """What a record says besides its experiment and its scores.

    Attributes:
        earlier: How earlier versions identified the embeddings.
        left_out: Number of the dataset's files that were not taken, by suffix.
        engine: What computed the embeddings, if torch did not.
        command: The command that repeats the scores.
        features_sha256: Hash of the feature values of every part.
    """

    earlier: Earlier | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    engine: str = ""
    command: str = ""
    features_sha256: Mapping[str, str] = field(default_factory=dict)


_NOTHING = About()


@dataclass(frozen=True)
class Recorder:
    """Keeps records in a folder.

    Attributes:
        folder: Folder of the records.
        device: Device to compute on.
        overwrite: Score again what has a record.
    """

    folder: Path
    device: str = "auto"
    overwrite: bool = False

    def records(
        self,
        trial: Trial,
        contamination: Sequence[str],
        about: About = _NOTHING,
    ) -> Iterator[Record]:
        """Yields a record for each experiment of a trial, which runs if one is missing.

        Args:
            trial: What is computed.
            contamination: Why its scores may be too good.
            about: What else they say.
        """
        known = [self._known(each, contamination, about.earlier) for each in trial.experiments]
        results: list[ProtocolScores] = []
        seconds = 0.0
        if None in known:
            started = time.perf_counter()
            results = self._run(trial)
            seconds = round(time.perf_counter() - started, 3)
        for place, (experiment, found) in enumerate(zip(trial.experiments, known, strict=True)):
            if found:
                yield self._kept(*found, trial.interval, contamination)
            else:
                record = self._record(experiment, results[place], contamination, about, seconds)
                yield self._save(record.showing(trial.interval), results[place])
        if trial.resume is not None:
            self._unfinished(trial).unlink(missing_ok=True)

    def _run(self, trial: Trial) -> list[ProtocolScores]:
        """Computes the scores; work that can be resumed keeps its state beside the record."""
        return trial.run() if trial.resume is None else trial.resume(self._unfinished(trial))

    def _unfinished(self, trial: Trial) -> Path:
        return record_path(self.folder, trial.experiments[0]).with_suffix(".partial")

    def _known(
        self, experiment: Experiment, contamination: Sequence[str], earlier: Earlier | None
    ) -> tuple[Path, Record] | None:
        """The record of an experiment with its path, under the names that this run gives."""
        if self.overwrite:
            return None
        every = find_records(self.folder, experiment.identity())
        if not every and earlier and take_over_record(self.folder, experiment, earlier):
            every = find_records(self.folder, experiment.identity())
        own = _computed(contamination)
        found = {p: r for p, r in every.items() if _computed(r.contamination) == own}
        for path, record in found.items():
            if record.experiment == experiment:
                return path, record
        if not found:
            return None
        path, record = next(iter(found.items()))
        renamed = save_changed(path, replace(record, experiment=experiment))
        return record_path(path.parent, experiment), renamed

    def _kept(
        self, path: Path, record: Record, interval: str, contamination: Sequence[str]
    ) -> Record:
        """A record that shows this kind of interval, with the leakage found since it was made.

        Leakage that was marked on it stays, whether or not this run names it.
        """
        marks = tuple(dict.fromkeys((*record.contamination, *contamination)))
        changed = replace(record.showing(interval), contamination=marks)
        return record if changed == record else save_changed(path, changed)

    def _record(
        self,
        experiment: Experiment,
        scores: ProtocolScores,
        contamination: Sequence[str],
        about: About,
        seconds: float,
    ) -> Record:
        device = describe_device(resolve_device(self.device))
        peak = peak_memory_mb()
        hashes = about.features_sha256
        return Record(
            experiment=experiment,
            scores=scores.scores,
            ci95_definition=scores.ci95_definition,
            counts=scores.counts,
            environment=describe_environment(device, about.engine),
            task_hash=scores.task_hash,
            wall_s=seconds,
            peak_memory_mb=round(peak, 1) if math.isfinite(peak) else None,
            contamination=tuple(contamination),
            chosen=scores.chosen,
            left_out=dict(about.left_out),
            command=about.command,
            intervals=stored_intervals(scores.intervals),
            features_sha256={
                part: hashes[part] for part in experiment.feature_keys if part in hashes
            },
            deterministic=scores.deterministic,
        )

    def _save(self, record: Record, scores: ProtocolScores) -> Record:
        save_record(record, scores.per_item, self.folder, scores.replicates())
        return record


def _computed(contamination: Sequence[str]) -> tuple[str, ...]:
    """The marks that every run finds again: all but leakage and overlaps, which a file says."""
    return tuple(mark for mark in contamination if not mark.startswith((LEAKED, OVERLAPS)))
