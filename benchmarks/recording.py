"""From trials to records: an experiment that has a record is read, any other is run and saved."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from lowlabel.benchmarks.earlier import take_over_record
from lowlabel.benchmarks.protocols import ProtocolScores, Trial
from lowlabel.benchmarks.without import LEAKED
from lowlabel.devices import describe_device, peak_memory_mb, resolve_device
from lowlabel.features import Earlier
from lowlabel.results import (
    Experiment,
    Record,
    describe_environment,
    find_records,
    load_scores,
    record_path,
    save_record,
    save_renamed,
)


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
        earlier: Earlier | None = None,
        left_out: Mapping[str, int] = MappingProxyType({}),
    ) -> Iterator[Record]:
        """Yields a record for each experiment of a trial, which runs if one is missing.

        Args:
            trial: What is computed.
            contamination: Why its scores may be too good.
            earlier: How earlier versions identified the embeddings.
            left_out: Number of the dataset's files that were not taken, by suffix.
        """
        known = [self._known(each, contamination, earlier) for each in trial.experiments]
        if None not in known:
            yield from filter(None, known)
            return
        started = time.perf_counter()
        results = trial.run()
        seconds = round(time.perf_counter() - started, 3)
        for experiment, scores, found in zip(trial.experiments, results, known, strict=True):
            yield found or self._save(experiment, scores, contamination, left_out, seconds)

    def _known(
        self, experiment: Experiment, contamination: Sequence[str], earlier: Earlier | None
    ) -> Record | None:
        """The record of an experiment, under the names that this run gives.

        Leakage that was marked on it stays, whether or not this run names it.
        """
        if self.overwrite:
            return None
        every = find_records(self.folder, experiment.identity())
        if not every and earlier and take_over_record(self.folder, experiment, earlier):
            every = find_records(self.folder, experiment.identity())
        own = _computed(contamination)
        found = {p: r for p, r in every.items() if _computed(r.contamination) == own}
        for path, record in found.items():
            if record.experiment == experiment:
                return self._marked(path, record, contamination)
        if not found:
            return None
        path, record = next(iter(found)), save_renamed(next(iter(found)), experiment)
        return self._marked(record_path(path.parent, experiment), record, contamination)

    def _marked(self, path: Path, record: Record, contamination: Sequence[str]) -> Record:
        """A record with the leakage that was found since it was made."""
        marks = tuple(dict.fromkeys((*record.contamination, *contamination)))
        if marks == record.contamination:
            return record
        marked = replace(record, contamination=marks)
        save_record(marked, load_scores(path), path.parent)
        return marked

    def _save(
        self,
        experiment: Experiment,
        scores: ProtocolScores,
        contamination: Sequence[str],
        left_out: Mapping[str, int],
        seconds: float,
    ) -> Record:
        record = Record(
            experiment=experiment,
            scores=scores.scores,
            ci95_definition=scores.ci95_definition,
            counts=scores.counts,
            environment=describe_environment(describe_device(resolve_device(self.device))),
            task_hash=scores.task_hash,
            wall_s=seconds,
            peak_memory_mb=round(peak_memory_mb(), 1),
            contamination=tuple(contamination),
            chosen=scores.chosen,
            left_out=dict(left_out),
        )
        save_record(record, scores.per_item, self.folder)
        return record


def _computed(contamination: Sequence[str]) -> tuple[str, ...]:
    """The marks that every run finds again: all but leakage, which a file says."""
    return tuple(mark for mark in contamination if not mark.startswith(LEAKED))
