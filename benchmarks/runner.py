"""Runs a plan: models × jobs, a record for every score."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from lowlabel.benchmarks.plan import Job, Plan
from lowlabel.benchmarks.protocols import Protocol
from lowlabel.benchmarks.recording import Recorder
from lowlabel.benchmarks.request import Request
from lowlabel.datasets import Division, OpenDataset, find_dataset, open_dataset
from lowlabel.devices import keep_freed_memory, release_freed_memory, resolve_device
from lowlabel.errors import UserError
from lowlabel.features import (
    Backbone,
    BackboneOptions,
    EmbeddedDataset,
    embed_dataset,
)
from lowlabel.paths import writable_dir
from lowlabel.progress import progress_bar
from lowlabel.results import Record

Watch = Callable[[EmbeddedDataset, Protocol, Record], None]


@dataclass
class Run:
    """The outcome of a plan.

    Attributes:
        records: One for each score, new or found.
        left_out: What a suite names and the embeddings do not fit, each with the reason.
        failures: What could not be scored.
    """

    records: list[Record] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    failures: list[UserError] = field(default_factory=list)


def run_plan(plan: Plan, request: Request, watch: Watch | None = None) -> Run:
    """Carries a plan out. A `UserError` is added to `failures`; the remaining jobs still run.

    Args:
        plan: What to do.
        request: What was asked for.
        watch: Called with the embeddings, the protocol and the record after every score.

    Raises:
        UserError: If the device or the output folder cannot be used, before any work.
    """
    device = request.backbone.device
    resolve_device(device)
    recorder = Recorder(writable_dir(request.output / "records"), device, request.overwrite)
    keep_freed_memory()
    runner = _Runner(plan, request, recorder, watch)
    if plan.file:
        for job in plan.jobs:
            runner.score(job, partial(_given, plan.file))
    else:
        for place, model in enumerate(plan.suite.model):
            runner.score_model(model, request.label_of(place))
    return runner.run


@dataclass
class _Runner:
    plan: Plan
    request: Request
    recorder: Recorder
    watch: Watch | None
    run: Run = field(default_factory=Run)

    def score_model(self, model: str, label: str | None) -> None:
        """Loads a model once for the jobs that load it alike."""
        for options, jobs in self._jobs_alike().items():
            try:
                backbone = options.load(model)
            except UserError as error:
                self.run.failures.append(error)
                continue
            for job in jobs:
                self.score(job, partial(self._embed, job, backbone, label))
            del backbone
            release_freed_memory()

    def score(self, job: Job, embed: Callable[[], EmbeddedDataset]) -> None:
        """Runs the trials of a job that have no record."""
        try:
            data = embed()
            self.run.left_out += job.protocol.left_out(data)
            for trial in job.protocol.trials(data, self.recorder.device):
                for record in self.recorder.records(trial, data.contamination):
                    self.run.records.append(record)
                    if self.watch:
                        self.watch(data, job.protocol, record)
        except UserError as error:
            self.run.failures.append(error)

    def _jobs_alike(self) -> dict[BackboneOptions, list[Job]]:
        alike: dict[BackboneOptions, list[Job]] = {}
        for job in self.plan.jobs:
            alike.setdefault(job.protocol.backbone(self.request.backbone), []).append(job)
        return alike

    def _embed(self, job: Job, backbone: Backbone, label: str | None) -> EmbeddedDataset:
        protocol = job.protocol
        options = protocol.backbone(self.request.backbone, backbone.encoder)
        if options.pooling:
            backbone = dataclasses.replace(backbone, pooling=options.pooling)
        opened = self._open(job.dataset, job.division)
        stored = {
            part: self._open(spec, _joining_division(spec))
            for part, spec in protocol.companions().items()
        }
        parts, extraction = protocol.needs(job.division), self.request.extraction
        return embed_dataset(backbone, opened, parts, extraction, label=label, stored=stored)

    def _open(self, spec: str, division: Division) -> OpenDataset:
        with progress_bar(f"making {spec}", "img") as progress:
            return open_dataset(
                spec, division, allow_partial=self.request.allow_partial, progress=progress
            )


def _given(data: EmbeddedDataset) -> EmbeddedDataset:
    return data


def _joining_division(spec: str) -> Division:
    """The division of a dataset whose images join a gallery: that of its test images."""
    dataset, name = find_dataset(spec)
    if name:
        return dataset.division(name)
    first = (division for division in dataset.divisions if division.evaluated in ("test", "query"))
    return next(first, dataset.divisions[0])
