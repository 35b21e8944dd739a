"""Plan → skip → run: which data sets a suite will score, and which it has to leave out."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from lowlabel.benchmarks.request import Request
from lowlabel.benchmarks.suite import Protocol, RetrievalProtocol, SearchProtocol, Suite
from lowlabel.datasets import Division, Kind, find_dataset, is_present
from lowlabel.errors import DataError, InputError
from lowlabel.fewshot import build_method, check_query_distribution
from lowlabel.fewshot.result import require_interval
from lowlabel.retrieval.post import build_post
from lowlabel.retrieval.post.whiten import Whitening
from lowlabel.retrieval.search import EXACT, build_index


@dataclass(frozen=True)
class Job:
    """One data set under one suite's protocol, for every model."""

    suite: str
    dataset: str
    protocol: Protocol


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        suite: The suite, with what the request changed of it.
        jobs: What will be scored, in order.
        skipped: What will not be, each with the reason and what mends it.
    """

    suite: Suite
    jobs: tuple[Job, ...]
    skipped: tuple[str, ...]


def make_plan(request: Request) -> Plan:
    """Resolves a request; every name in it is looked up before any work begins.

    Raises:
        UnknownNameError: For an unknown suite, data set, division, method, post-processing, index.
        InputError: If no model is named.
        DataError: If a data set that was named is not there, or none of the suite's is.
    """
    suite = request.resolved_suite()
    if suite.fewshot:
        check_query_distribution(suite.fewshot.query_distribution)
        for spec in suite.fewshot.methods:
            build_method(spec)
        require_interval(suite.fewshot.interval)
    if suite.retrieval:
        build_index(suite.retrieval.search)
        for spec in suite.retrieval.posts:
            build_post(spec)
    if request.features:
        return Plan(suite, (), ())
    if not suite.models:
        raise InputError(
            f"suite {suite.name} needs a model", "Name one: --model dino_vits16 (see lowlabel list)"
        )
    wanted = _jobs(suite)
    unfit = set(request.datasets) - {job.dataset for job in wanted}
    if unfit:
        raise InputError(
            f"suite {suite.name} has no protocol for {', '.join(sorted(unfit))}",
            "Landmarks and copies are scored by --suite retrieval; few-shot classification needs "
            "classes.",
        )
    notes = {job: note for job in wanted if (note := _unfit(job, request) or _missing(job))}
    absent = dict.fromkeys(notes.values())
    jobs = tuple(job for job in wanted if job not in notes)
    if absent and (request.datasets or not jobs):
        hint = "Or try the suite on the built-in data: --dataset demo"
        raise DataError("\n".join(absent), hint if any(map(_missing, notes)) else "")
    return Plan(suite, jobs, tuple(absent))


def _jobs(suite: Suite) -> list[Job]:
    """Each protocol with those of its data sets that are of its kind."""
    protocols: Sequence[tuple[str, Kind, Protocol | None]] = (
        ("fewshot", "classes", suite.fewshot),
        ("fewshot", "classes", suite.knn),
        ("retrieval", "classes", suite.retrieval),
        ("retrieval", "revisited", suite.revisited),
        ("retrieval", "copies", suite.copies),
    )
    return [
        Job(name, dataset, _completed(protocol, dataset))
        for name, kind, protocol in protocols
        if protocol
        for dataset in protocol.datasets
        if _kind(dataset, name) == kind
    ]


def _completed(protocol: Protocol, spec: str) -> Protocol:
    """The protocol with the K that is usual on the data set where the suite names none."""
    if isinstance(protocol, RetrievalProtocol) and not protocol.ks:
        return dataclasses.replace(protocol, ks=find_dataset(spec)[0].ks)
    return protocol


def _kind(spec: str, suite: str) -> Kind:
    return division_for(spec, suite).kind


def division_for(spec: str, suite: str) -> Division:
    """The division that `spec` names, or the first that suits the suite."""
    dataset, name = find_dataset(spec)
    if name:
        return dataset.division(name)
    preferred = {"retrieval": ("test", "query")}.get(suite, ())
    suited = [division for division in dataset.divisions if division.evaluated in preferred]
    return (suited or list(dataset.divisions))[0]


def _unfit(job: Job, request: Request) -> str | None:
    """Which of the request's wishes landmarks and copies do not know; None if there is none."""
    if not isinstance(job.protocol, SearchProtocol):
        return None
    posts = job.protocol.posts
    if len(posts) > 1 or not all(isinstance(build_post(spec), Whitening) for spec in posts):
        return f"{job.dataset} takes one --post whiten and no other, not {', '.join(posts)}."
    if posts and request.train_features is None:
        return f"{job.dataset} has no images to learn {posts[0]} from: add --train-features FILE."
    if request.nmi or (request.search or EXACT) != EXACT:
        return f"{job.dataset} is searched exactly and not clustered: leave --search and --nmi out."
    return None


def _missing(job: Job) -> str | None:
    """Why a job cannot be done, with what mends it; None if it can."""
    distractors = job.protocol.distractors if isinstance(job.protocol, SearchProtocol) else None
    return _absence(job.dataset) or (_absence(distractors) if distractors else None)


def _absence(spec: str) -> str | None:
    """Why a data set cannot be used, with what mends it; None if it can."""
    dataset, _ = find_dataset(spec)
    if not dataset.marker or is_present(dataset):
        return None
    return (
        f"{dataset.title} is not prepared. Get {dataset.obtain}; "
        f"then: lowlabel prepare {dataset.name} --archive FILE"
    )
