"""Runs a plan: each model once over every data set, a record for every score."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lowlabel.benchmarks.plan import Job, Plan, division_for
from lowlabel.benchmarks.request import BackboneOptions, Request
from lowlabel.benchmarks.scoring import Scorer
from lowlabel.benchmarks.search_subject import embed_search, open_distractors
from lowlabel.benchmarks.subject import (
    Subject,
    embed_dataset,
    subject_from_file,
    with_train_features,
)
from lowlabel.benchmarks.suite import (
    DEFAULT_KS,
    FewShotProtocol,
    KNNProtocol,
    RetrievalProtocol,
    SearchProtocol,
)
from lowlabel.datasets import OpenDataset, open_dataset
from lowlabel.devices import keep_freed_memory, release_freed_memory, resolve_device
from lowlabel.errors import UserError
from lowlabel.features import Backbone
from lowlabel.fewshot import build_method
from lowlabel.paths import writable_dir
from lowlabel.progress import progress_bar
from lowlabel.results import Record
from lowlabel.retrieval.post import build_post

Watch = Callable[[OpenDataset, Subject, RetrievalProtocol, Record], None]


@dataclass
class Run:
    """What came of a plan.

    Attributes:
        records: One per score, new or found.
        failures: What could not be scored; the rest was scored all the same.
    """

    records: list[Record] = field(default_factory=list)
    failures: list[UserError] = field(default_factory=list)


def run_plan(plan: Plan, request: Request, watch: Watch | None = None) -> Run:
    """Carries a plan out. What fails for a reason of the user's is kept, and the rest goes on.

    Args:
        plan: What to do.
        request: What was asked for.
        watch: Called with the data set, its embeddings, the protocol and the record of every
            retrieval of images.

    Raises:
        UserError: If the device or the output folder cannot be used, before any work.
    """
    resolve_device(request.backbone.device)
    scorer = Scorer(
        writable_dir(request.output / "records"),
        request.backbone.device,
        request.overwrite,
        bool(request.methods),
        request.tune,
    )
    keep_freed_memory()
    run = Run()
    if request.features:
        _collect(run, _score_file(plan, request, scorer))
        return run
    for place, model in enumerate(plan.suite.models):
        label = request.label(place)
        for options, jobs in _jobs_alike(plan, request).items():
            try:
                backbone = options.load(model)
            except UserError as error:
                run.failures.append(error)
                continue
            for job in jobs:
                _collect(run, _score_job(backbone, label, job, request, scorer, watch))
            del backbone
            release_freed_memory()
    return run


def _jobs_alike(plan: Plan, request: Request) -> dict[BackboneOptions, list[Job]]:
    """The jobs by how models are loaded for them."""
    alike: dict[BackboneOptions, list[Job]] = {}
    for job in plan.jobs:
        alike.setdefault(request.backbone.for_protocol(job.protocol), []).append(job)
    return alike


def _collect(run: Run, records: Iterator[Record]) -> None:
    try:
        run.records.extend(records)
    except UserError as error:
        run.failures.append(error)


def _score_file(plan: Plan, request: Request, scorer: Scorer) -> Iterator[Record]:
    assert request.features is not None
    subject = subject_from_file(request.features, request.label())
    if plan.suite.fewshot:
        yield from scorer.fewshot(subject, plan.suite.fewshot)
    if plan.suite.knn:
        yield scorer.knn(subject, plan.suite.knn)
    if plan.suite.retrieval:
        protocol = plan.suite.retrieval
        protocol = dataclasses.replace(protocol, ks=protocol.ks or DEFAULT_KS)
        yield from scorer.retrieval(_with_train(subject, request), protocol)


def _with_train(subject: Subject, request: Request) -> Subject:
    """The subject, learning from the file that was named for it if one was."""
    if request.train_features is None:
        return subject
    return with_train_features(subject, request.train_features)


def _score_job(
    backbone: Backbone,
    label: str | None,
    job: Job,
    request: Request,
    scorer: Scorer,
    watch: Watch | None,
) -> Iterator[Record]:
    protocol = job.protocol
    with progress_bar(f"making {job.dataset}", "img") as progress:
        opened = open_dataset(
            job.dataset,
            division_for(job.dataset, job.suite),
            allow_partial=request.allow_partial,
            progress=progress,
        )
    if isinstance(protocol, SearchProtocol):
        with progress_bar(f"making {protocol.distractors}", "img") as progress:
            distractors = open_distractors(protocol, request.allow_partial, progress)
        searched = embed_search(backbone, opened, distractors, request.extraction, label=label)
        if protocol.posts and request.train_features:
            searched = searched.learning_from(request.train_features)
        yield scorer.search(searched, protocol)
        return
    if isinstance(protocol, FewShotProtocol):
        needs_base = any(build_method(spec).needs_base for spec in protocol.methods)
    elif isinstance(protocol, KNNProtocol):
        needs_base = False
    else:
        learns = any(build_post(spec).needs_train for spec in protocol.posts)
        needs_base = learns and request.train_features is None
    subject = embed_dataset(
        backbone,
        opened,
        request.extraction,
        label=label,
        with_base=needs_base,
        with_validation=request.tune and isinstance(protocol, FewShotProtocol),
    )
    if isinstance(protocol, FewShotProtocol):
        yield from scorer.fewshot(subject, protocol)
        return
    if isinstance(protocol, KNNProtocol):
        yield scorer.knn(subject, protocol)
        return
    subject = _with_train(subject, request)
    for record in scorer.retrieval(subject, protocol):
        yield record
        if watch:
            watch(opened, subject, protocol, record)
