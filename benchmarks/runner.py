"""Runs a plan: each model once over every data set, a record for every score."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lowlabel.benchmarks.plan import Job, Plan
from lowlabel.benchmarks.request import BackboneOptions, Request
from lowlabel.benchmarks.scoring import Scorer
from lowlabel.benchmarks.search_subject import embed_search, open_distractors
from lowlabel.benchmarks.subject import embed_dataset, subject_from_file
from lowlabel.benchmarks.suite import FewShotProtocol, SearchProtocol
from lowlabel.datasets import open_dataset
from lowlabel.devices import keep_freed_memory, release_freed_memory, resolve_device
from lowlabel.errors import UserError
from lowlabel.features import Backbone
from lowlabel.fewshot import build_method
from lowlabel.paths import writable_dir
from lowlabel.progress import progress_bar
from lowlabel.results import Record


@dataclass
class Run:
    """What came of a plan.

    Attributes:
        records: One per score, new or found.
        failures: What could not be scored; the rest was scored all the same.
    """

    records: list[Record] = field(default_factory=list)
    failures: list[UserError] = field(default_factory=list)


def run_plan(plan: Plan, request: Request) -> Run:
    """Carries a plan out. What fails for a reason of the user's is kept, and the rest goes on.

    Raises:
        UserError: If the device or the output folder cannot be used, before any work.
    """
    resolve_device(request.backbone.device)
    scorer = Scorer(
        writable_dir(request.output / "records"),
        request.backbone.device,
        request.overwrite,
        bool(request.methods),
    )
    keep_freed_memory()
    run = Run()
    if request.features:
        _collect(run, _score_file(plan, request, scorer))
        return run
    for place, model in enumerate(plan.suite.models):
        for options, jobs in _jobs_alike(plan, request).items():
            try:
                backbone = options.load(model)
            except UserError as error:
                run.failures.append(error)
                continue
            for job in jobs:
                _collect(run, _score_job(backbone, request.label(place), job, request, scorer))
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
    if plan.suite.retrieval:
        yield from scorer.retrieval(subject, plan.suite.retrieval)


def _score_job(
    backbone: Backbone, label: str | None, job: Job, request: Request, scorer: Scorer
) -> Iterator[Record]:
    protocol = job.protocol
    with progress_bar(f"making {job.dataset}", "img") as progress:
        opened = open_dataset(
            job.dataset, job.suite, allow_partial=request.allow_partial, progress=progress
        )
    if isinstance(protocol, SearchProtocol):
        with progress_bar(f"making {protocol.distractors}", "img") as progress:
            distractors = open_distractors(protocol, request.allow_partial, progress)
        searched = embed_search(backbone, opened, distractors, request.extraction, label=label)
        yield scorer.search(searched, protocol)
        return
    needs_base = isinstance(protocol, FewShotProtocol) and any(
        build_method(spec).needs_base for spec in protocol.methods
    )
    subject = embed_dataset(backbone, opened, request.extraction, label=label, with_base=needs_base)
    if isinstance(protocol, FewShotProtocol):
        yield from scorer.fewshot(subject, protocol)
    else:
        yield from scorer.retrieval(subject, protocol)
