"""The embeddings of jobs: of one for its scores, or of a whole plan by several processes."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from lowlabel.benchmarks.jobs import Job
from lowlabel.benchmarks.opening import joining_division, open_job
from lowlabel.benchmarks.overlap import check_overlap, overlap_mark
from lowlabel.benchmarks.plan import Plan
from lowlabel.benchmarks.request import Request
from lowlabel.benchmarks.without import (
    LEAKAGE,
    WITHOUT,
    check_flags,
    leakage_mark,
    without_flagged,
)
from lowlabel.datasets import OpenDataset
from lowlabel.devices import keep_freed_memory, release_freed_memory
from lowlabel.errors import UserError
from lowlabel.features import (
    Backbone,
    BackboneOptions,
    EmbeddedDataset,
    embed_dataset,
    store_dataset,
)
from lowlabel.processes.team import Team, TeamError


def jobs_alike(plan: Plan, request: Request) -> dict[BackboneOptions, list[Job]]:
    """The jobs by how models are loaded for them."""
    alike: dict[BackboneOptions, list[Job]] = {}
    for job in plan.jobs:
        alike.setdefault(job.protocol.backbone(request.backbone), []).append(job)
    return alike


def job_sources(job: Job, request: Request) -> tuple[OpenDataset, dict[str, OpenDataset]]:
    """Opens the dataset of a job, and those that join it, by the part that they become."""
    return open_job(job.dataset, job.division, request), {
        part: open_job(spec, joining_division(spec), request)
        for part, spec in job.protocol.companions().items()
    }


@dataclass(frozen=True)
class _Source:
    """What a job embeds: a backbone that fits its protocol, its dataset and those that join it."""

    backbone: Backbone
    opened: OpenDataset
    stored: Mapping[str, OpenDataset]

    @classmethod
    def of(cls, job: Job, backbone: Backbone, request: Request) -> "_Source":
        fitted = job.protocol.fitted(backbone, request.backbone)
        opened, stored = job_sources(job, request)
        job.check_images(opened)
        return cls(fitted, opened, stored)


def embed_job(job: Job, backbone: Backbone, plan: Plan, request: Request) -> EmbeddedDataset:
    """Embeds the parts that a job needs, and the datasets that join them, without flagged images.

    The flags are checked first, since embedding takes longer.
    """
    source = _Source.of(job, backbone, request)
    opened = source.opened
    unknown = len(check_flags(plan.flagged, opened, WITHOUT)) if plan.flagged else 0
    if plan.leaked:
        check_flags(plan.leaked, opened, LEAKAGE)
    strangers = len(check_overlap(plan.overlap, opened)) if plan.overlap else 0
    data = embed_dataset(
        source.backbone,
        opened,
        job.protocol.needs(job.division),
        request.extraction,
        stored=source.stored,
        view_seeds=job.protocol.view_seeds(),
    )
    if plan.flagged:
        data = without_flagged(data, opened, plan.flagged, unknown)
    marks = [leakage_mark(data, opened, plan.leaked)] if plan.leaked else []
    marks += [overlap_mark(data, plan.overlap, strangers)] if plan.overlap else []
    return replace(data, marks=tuple(filter(None, marks)))


def extract_plan(plan: Plan, request: Request, team: Team) -> None:
    """Fills the store with the features that a plan needs, as one process of a team.

    Whatever fails is said, and left to the run that scores: it meets the same error.

    Raises:
        TeamError: If another process ended.
    """
    if plan.file or plan.ranking:
        return
    keep_freed_memory()
    extraction = replace(request.extraction, team=team)
    for place, model in enumerate(plan.suite.model):
        if model in plan.trainers:
            continue
        label = plan.suite.label_of(place)
        for options, jobs in jobs_alike(plan, request).items():
            with _left_to_the_run(team):
                backbone = team.agreed(partial(options.load, model, label))
                for job in jobs:
                    with _left_to_the_run(team):
                        source = team.agreed(partial(_Source.of, job, backbone, request))
                        store_dataset(
                            source.backbone,
                            source.opened,
                            job.protocol.needs(job.division),
                            extraction,
                            stored=source.stored,
                            view_seeds=job.protocol.view_seeds(),
                        )
                del backbone
            release_freed_memory()


@contextmanager
def _left_to_the_run(team: Team) -> Iterator[None]:
    try:
        yield
    except TeamError:
        raise
    except UserError as error:
        if team.is_main:
            print(f"not extracted together: {error.message}", file=sys.stderr, flush=True)
