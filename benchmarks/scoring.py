"""From embeddings to records: an experiment that has a record is read, any other is run."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from lowlabel.benchmarks.outcome import Outcome, retrieval_outcome
from lowlabel.benchmarks.search_subject import SearchSubject
from lowlabel.benchmarks.searching import run_search, search_experiment
from lowlabel.benchmarks.subject import Subject
from lowlabel.benchmarks.suite import FewShotProtocol, RetrievalProtocol, SearchProtocol
from lowlabel.devices import describe_device, peak_memory_mb, resolve_device
from lowlabel.fewshot import FewShotResult, Method, build_method, evaluate_fewshot
from lowlabel.progress import progress_bar
from lowlabel.results import (
    Environment,
    Experiment,
    MethodInfo,
    ProtocolInfo,
    Record,
    Score,
    describe_environment,
    find_record,
    save_record,
)
from lowlabel.retrieval import RetrievalResult, evaluate_retrieval

FEWSHOT_VERSION = 1
RETRIEVAL_VERSION = 1


@dataclass(frozen=True)
class Scorer:
    """Scores subjects and keeps their records.

    Attributes:
        folder: Where records lie.
        device: Where the arithmetic runs.
        overwrite: Score again what has a record.
        explicit_methods: Whether methods were asked for by name: one that cannot run is then an
            error, where a suite's own is left out.
    """

    folder: Path
    device: str = "auto"
    overwrite: bool = False
    explicit_methods: bool = False

    def fewshot(self, subject: Subject, protocol: FewShotProtocol) -> Iterator[Record]:
        """Yields a record per number of shots and method."""
        for shots in protocol.shots:
            for spec in protocol.methods:
                method = build_method(spec)
                if method.needs_base and subject.base is None and not self.explicit_methods:
                    continue
                experiment = fewshot_experiment(subject, protocol, shots, method)
                run = partial(self._run_fewshot, subject, protocol, shots, method)
                yield self._record(experiment, subject, run)

    def retrieval(self, subject: Subject, protocol: RetrievalProtocol) -> Iterator[Record]:
        """Yields the one record of leave-one-out retrieval."""
        experiment = retrieval_experiment(subject, protocol)
        yield self._record(experiment, subject, partial(self._run_retrieval, subject, protocol))

    def search(self, subject: SearchSubject, protocol: SearchProtocol) -> Record:
        """The record of landmark retrieval or copy detection."""
        experiment = search_experiment(subject, protocol)
        return self._record(
            experiment, subject, partial(run_search, subject, protocol, self.device)
        )

    def _record(
        self, experiment: Experiment, subject: Subject | SearchSubject, run: Callable[[], Outcome]
    ) -> Record:
        if not self.overwrite and (known := find_record(self.folder, experiment.identity())):
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

    def _run_fewshot(
        self, subject: Subject, protocol: FewShotProtocol, shots: int, method: Method
    ) -> Outcome:
        base = subject.base if method.needs_base else None
        title = f"{method.spec} {shots}-shot on {subject.dataset.title}"
        with progress_bar(title, "task") as progress:
            result: FewShotResult = evaluate_fewshot(
                subject.evaluated.features,
                subject.evaluated.labels,
                base=(base.features, base.labels) if base else None,
                method=method.spec,
                ways=protocol.ways,
                shots=shots,
                queries=protocol.queries,
                tasks=protocol.tasks,
                seed=protocol.seed,
                device=self.device,
                progress=progress,
            )
        return Outcome(
            {"accuracy": Score(result.mean, result.ci95)},
            {"accuracy": result.accuracies},
            result.ci95_definition,
            {"tasks": result.tasks},
            result.task_hash,
        )

    def _run_retrieval(self, subject: Subject, protocol: RetrievalProtocol) -> Outcome:
        with progress_bar(f"retrieval on {subject.dataset.title}", "query") as progress:
            result: RetrievalResult = evaluate_retrieval(
                subject.evaluated.features,
                subject.evaluated.labels,
                ks=protocol.ks,
                ties=protocol.ties,
                lone_queries=protocol.lone_queries,
                device=self.device,
                progress=progress,
            )
        return retrieval_outcome(result)


def fewshot_experiment(
    subject: Subject, protocol: FewShotProtocol, shots: int, method: Method
) -> Experiment:
    """What determines a few-shot score."""
    options = {
        "ways": protocol.ways,
        "shots": shots,
        "queries": protocol.queries,
        "query_distribution": "balanced",
        "tasks": protocol.tasks,
        "seed": protocol.seed,
    }
    used = {part: key for part, key in subject.keys.items() if _uses(part, subject, method)}
    return Experiment(
        suite="fewshot",
        protocol=ProtocolInfo(f"{protocol.ways}-way {shots}-shot", FEWSHOT_VERSION, options),
        model=subject.model,
        dataset=subject.dataset,
        method=MethodInfo(method.spec, dict(method.options), method.transductive),
        feature_keys=used,
    )


def retrieval_experiment(subject: Subject, protocol: RetrievalProtocol) -> Experiment:
    """What determines a retrieval score."""
    zero_shot = subject.dataset.scheme == "dml-zeroshot"
    options = {key: value for key, value in asdict(protocol).items() if key != "datasets"}
    split = subject.dataset.split
    return Experiment(
        suite="retrieval",
        protocol=ProtocolInfo(
            "dml-zeroshot" if zero_shot else "leave-one-out", RETRIEVAL_VERSION, options
        ),
        model=subject.model,
        dataset=subject.dataset,
        method=MethodInfo("cosine"),
        feature_keys={split: subject.keys[split]},
    )


def _uses(part: str, subject: Subject, method: Method) -> bool:
    return method.needs_base or part == subject.dataset.split
