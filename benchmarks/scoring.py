"""From embeddings to records: an experiment that has a record is read, any other is run."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lowlabel.benchmarks.neighbours import knn_experiment, run_knn
from lowlabel.benchmarks.outcome import Outcome, retrieval_outcome, similarity
from lowlabel.benchmarks.search_subject import SearchSubject
from lowlabel.benchmarks.searching import run_search, search_experiment
from lowlabel.benchmarks.subject import VALIDATION, Subject
from lowlabel.benchmarks.suite import (
    FewShotProtocol,
    KNNProtocol,
    RetrievalProtocol,
    SearchProtocol,
)
from lowlabel.benchmarks.tuning import Choice, choose
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
from lowlabel.retrieval.clustering import ITERATIONS, clustering_backend
from lowlabel.retrieval.post import build_post
from lowlabel.retrieval.search import build_index

FEWSHOT_VERSION = 1
RETRIEVAL_VERSION = 1
_LEARNT = {"base", "train"}  # parts that retrieval uses only for post-processing that learns
_RETRIEVAL_SCHEMES = {"dml-zeroshot", "dml-zeroshot-box", "classification-split"}


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
                run = partial(self._run_fewshot, subject, protocol, shots, choice.method)
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
                query_distribution=protocol.query_distribution,
                tasks=protocol.tasks,
                seed=protocol.seed,
                interval=protocol.interval,
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
        gallery = subject.gallery
        with progress_bar(f"retrieval on {subject.dataset.title}", "query") as progress:
            result: RetrievalResult = evaluate_retrieval(
                subject.evaluated.features,
                subject.evaluated.labels,
                gallery=(gallery.features, gallery.labels) if gallery else None,
                train=subject.base.features if subject.base else None,
                post=protocol.posts,
                search=protocol.search,
                nmi=protocol.nmi,
                ks=protocol.ks,
                ties=protocol.ties,
                lone_queries=protocol.lone_queries,
                device=self.device,
                progress=progress,
            )
        further = {"gallery": len(gallery.labels)} if gallery else {}
        return retrieval_outcome(result, **further)


def fewshot_experiment(
    subject: Subject, protocol: FewShotProtocol, shots: int, choice: Choice
) -> Experiment:
    """What determines a few-shot score."""
    method = choice.method
    options: dict[str, object] = {
        "ways": protocol.ways,
        "shots": shots,
        "queries": protocol.queries,
        "query_distribution": protocol.query_distribution,
        "tasks": protocol.tasks,
        "seed": protocol.seed,
    }
    name = f"{protocol.ways}-way {shots}-shot"
    if protocol.query_distribution != "balanced":
        name += f", {protocol.query_distribution.capitalize()} queries"
    if protocol.interval != "normal":  # which is as old as the records
        options["interval"] = protocol.interval
    how = {"tuned": choice.how} if choice.how else {}
    used = {part: key for part, key in subject.keys.items() if _uses(part, subject, method)}
    return Experiment(
        suite="fewshot",
        protocol=ProtocolInfo(name, FEWSHOT_VERSION, options),
        model=subject.model,
        dataset=subject.dataset,
        method=MethodInfo(method.spec, {**method.options, **how}, method.transductive),
        feature_keys=used,
    )


def retrieval_experiment(subject: Subject, protocol: RetrievalProtocol) -> Experiment:
    """What determines a retrieval score."""
    scheme = subject.dataset.scheme
    unnamed = "leave-one-out" if subject.gallery is None else "query-gallery"
    options: dict[str, object] = {
        "ks": protocol.ks,
        "ties": protocol.ties,
        "lone_queries": protocol.lone_queries,
    }
    if protocol.nmi:
        options["nmi"] = f"{clustering_backend()} k-means, {ITERATIONS} iterations"
    posts = [build_post(spec) for spec in protocol.posts]
    learns = any(post.needs_train for post in posts)
    used = {part: key for part, key in subject.keys.items() if learns or part not in _LEARNT}
    return Experiment(
        suite="retrieval",
        protocol=ProtocolInfo(
            scheme if scheme in _RETRIEVAL_SCHEMES else unnamed, RETRIEVAL_VERSION, options
        ),
        model=subject.model,
        dataset=subject.dataset,
        method=similarity(posts, build_index(protocol.search)),
        feature_keys=used,
    )


def _suits(method: Method, subject: Subject) -> bool:
    """Whether the embeddings have what the method cannot do without."""
    if method.needs_base and subject.base is None:
        return False
    return not method.needs_non_negative or bool((subject.evaluated.features >= 0).all())


def _uses(part: str, subject: Subject, method: Method) -> bool:
    return part == subject.dataset.split or (method.needs_base and part != VALIDATION)
