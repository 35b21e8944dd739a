"""From embeddings to records: an experiment that has a record is read, any other is run."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lowlabel.benchmarks.classifying import fewshot_experiment, run_fewshot
from lowlabel.benchmarks.neighbours import knn_experiment, run_knn
from lowlabel.benchmarks.outcome import Outcome
from lowlabel.benchmarks.retrieving import retrieval_experiment, run_retrieval
from lowlabel.benchmarks.search_subject import SearchSubject
from lowlabel.benchmarks.searching import run_search, search_experiment
from lowlabel.benchmarks.subject import Subject
from lowlabel.benchmarks.suite import (
    FewShotProtocol,
    KNNProtocol,
    RetrievalProtocol,
    SearchProtocol,
)
from lowlabel.benchmarks.tuning import Choice, choose
from lowlabel.devices import describe_device, peak_memory_mb, resolve_device
from lowlabel.fewshot import Method, build_method
from lowlabel.results import (
    Environment,
    Experiment,
    Record,
    describe_environment,
    find_record,
    save_record,
)


@dataclass(frozen=True)
class Scorer:
    """Scores subjects and keeps their records.

    Attributes:
        folder: Where records lie.
        device: Where the arithmetic runs.
        overwrite: Score again what has a record.
        explicit_methods: Whether methods were asked for by name: one that cannot run is then an
            error, where a suite's own is left out.
        tune: Whether methods' hyper-parameters are chosen on the validation part.
    """

    folder: Path
    device: str = "auto"
    overwrite: bool = False
    explicit_methods: bool = False
    tune: bool = False

    def fewshot(self, subject: Subject, protocol: FewShotProtocol) -> Iterator[Record]:
        """Yields a record per number of shots and method."""
        for shots in protocol.shots:
            for spec in protocol.methods:
                method = build_method(spec)
                if not self.explicit_methods and not _suits(method, subject):
                    continue
                choice = self._choice(subject, protocol, shots, method)
                experiment = fewshot_experiment(subject, protocol, shots, choice)
                run = partial(run_fewshot, subject, protocol, shots, choice.method, self.device)
                yield self._record(experiment, subject, run)

    def _choice(
        self, subject: Subject, protocol: FewShotProtocol, shots: int, method: Method
    ) -> Choice:
        if not self.tune:
            return Choice(method)
        return choose(method, subject.validation, subject.base, protocol, shots, self.device)

    def knn(self, subject: Subject, protocol: KNNProtocol) -> Record:
        """The record of k-NN classification."""
        run = partial(run_knn, subject, protocol, self.device)
        return self._record(knn_experiment(subject, protocol), subject, run)

    def retrieval(self, subject: Subject, protocol: RetrievalProtocol) -> Iterator[Record]:
        """Yields the one record of retrieval."""
        run = partial(run_retrieval, subject, protocol, self.device)
        yield self._record(retrieval_experiment(subject, protocol), subject, run)

    def search(self, subject: SearchSubject, protocol: SearchProtocol) -> Record:
        """The record of landmark retrieval or copy detection."""
        run = partial(run_search, subject, protocol, self.device)
        return self._record(search_experiment(subject, protocol), subject, run)

    def _record(
        self, experiment: Experiment, subject: Subject | SearchSubject, run: Callable[[], Outcome]
    ) -> Record:
        known = None if self.overwrite else find_record(self.folder, experiment.identity())
        if known and known.contamination == subject.contamination:
            return known
        started = time.perf_counter()
        outcome = run()
        record = Record(
            experiment=experiment,
            scores=outcome.scores,
            ci95_definition=outcome.ci95_definition,
            counts=outcome.counts,
            environment=self._environment(),
            task_hash=outcome.task_hash,
            wall_s=round(time.perf_counter() - started, 3),
            peak_memory_mb=round(peak_memory_mb(), 1),
            contamination=subject.contamination,
        )
        save_record(record, outcome.per_item, self.folder)
        return record

    def _environment(self) -> Environment:
        return describe_environment(describe_device(resolve_device(self.device)))


def _suits(method: Method, subject: Subject) -> bool:
    """Whether the embeddings have what the method cannot do without."""
    if method.needs_base and subject.base is None:
        return False
    return not method.needs_non_negative or bool((subject.evaluated.features >= 0).all())
