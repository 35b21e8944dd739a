"""Runs a plan: models × jobs, a record for every score."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from lowlabel.benchmarks.embedding import embed_job, jobs_alike
from lowlabel.benchmarks.from_labels import Trainer, image_rows, named
from lowlabel.benchmarks.jobs import Job
from lowlabel.benchmarks.opening import open_job, ranked_job
from lowlabel.benchmarks.plan import Plan
from lowlabel.benchmarks.protocols import Protocol
from lowlabel.benchmarks.recording import About, Recorder
from lowlabel.benchmarks.repeat import repeat_command
from lowlabel.benchmarks.request import Request
from lowlabel.benchmarks.without import without_notes
from lowlabel.devices import keep_freed_memory, release_freed_memory, resolve_device
from lowlabel.errors import ClassError, InputError, UserError
from lowlabel.features import EmbeddedDataset
from lowlabel.paths import writable_dir
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

    def fail(self, error: UserError) -> None:
        """Adds a failure; what several trials say in the same words stands once."""
        if str(error) not in map(str, self.failures):
            self.failures.append(error.with_traceback(None))  # which would keep the model

    def add(self, other: "Run") -> None:
        """Adds the outcome of another plan."""
        self.records += other.records
        self.left_out += other.left_out
        for failure in other.failures:
            self.fail(failure)


def run_plan(
    plan: Plan,
    request: Request,
    watch: Watch | None = None,
    show: Callable[[Run], None] | None = None,
) -> Run:
    """Carries a plan out. A `UserError` is added to `failures`; the remaining jobs still run.

    So do the other trials of a job, unless the error is one that they would meet too, such as a
    disk that is full.

    Args:
        plan: What to do.
        request: What was asked for.
        watch: Called with the embeddings, the protocol and the record after every score.
        show: Called with what is done before each later stage of a model's jobs.

    Raises:
        UserError: If the device or the output folder cannot be used, before any work.
    """
    device = request.backbone.device
    resolve_device(device)
    recorder = Recorder(writable_dir(request.output / "records"), device, request.overwrite)
    keep_freed_memory()
    run, stage = Run(), 0
    for job, model, embed in _embeddings(plan, request, run):
        if show and job.stage > stage and run.records:
            show(run)
        stage = job.stage
        try:
            data = job.protocol.prepared(embed())
            run.left_out += job.protocol.left_out(data)
            run.left_out += without_notes(data, plan.flagged) if plan.flagged else []
            about = About(
                data.earlier,
                data.left_out,
                data.engine,
                repeat_command(job, request, model),
                data.values_sha256(),
            )
            _score(job, data, recorder, about, run, watch)
        except UserError as error:
            run.fail(error)
        finally:
            del embed
    return run


def _score(
    job: Job,
    data: EmbeddedDataset,
    recorder: Recorder,
    about: About,
    run: Run,
    watch: Watch | None,
) -> None:
    """Adds the records of a job, and as failures what some of its trials cannot do."""
    contamination = (*job.protocol.contamination(data), *data.marks)
    for trial in job.protocol.trials(data, recorder.device):
        try:
            for record in recorder.records(trial, contamination, about):
                run.records.append(record)
                if not record.has_interval(trial.interval):
                    run.left_out.append(_without_interval(trial.interval, data.title))
                if watch:
                    watch(data, job.protocol, record)
        except InputError as error:  # of one method: others may do
            if isinstance(error, ClassError) and data.class_names:
                error = error.named(data.class_names)
            run.fail(error)


def _without_interval(kind: str, title: str) -> str:
    return (
        f"± over {kind} on {title}: records of earlier runs keep their own; --overwrite scores "
        "them again"
    )


def _embeddings(
    plan: Plan, request: Request, run: Run
) -> Iterator[tuple[Job, str, Callable[[], EmbeddedDataset]]]:
    """Yields each job with a model and a function that embeds its data; loads each model once.

    A model that cannot be loaded is added to the failures of `run`.
    """
    if plan.file:
        file = plan.file
        yield from ((job, "", lambda: file) for job in plan.jobs)
        return
    if plan.ranking:
        yield from ((job, "", partial(ranked_job, job, plan.ranking, request)) for job in plan.jobs)
        return
    for place, model in enumerate(plan.suite.model):
        if trainer := plan.trainers.get(model):
            name = named(model, plan.suite.label_of(place))
            for job, embed in _from_labels(plan, request, run, trainer, name):
                yield job, model, embed
            continue
        label = plan.suite.label_of(place)
        for options, jobs in jobs_alike(plan, request).items():
            try:
                backbone = options.load(model, label)
            except UserError as error:
                run.fail(error)
                continue
            for job in jobs:
                yield job, model, partial(embed_job, job, backbone, plan, request)
            del backbone
            release_freed_memory()


def _from_labels(
    plan: Plan, request: Request, run: Run, trainer: Trainer, name: str
) -> Iterator[tuple[Job, Callable[[], EmbeddedDataset]]]:
    """Yields the jobs that give labels, with a network trained on them as the method."""
    for job in plan.jobs:
        if not job.protocol.gives_labels:
            run.left_out.append(f"{name} on {job.dataset}: {job.protocol.name} has no labels")
            continue
        try:
            opened = open_job(job.dataset, job.division, request)
            protocol = job.protocol.from_labels(trainer, opened)
        except UserError as error:
            run.fail(error)
            continue
        yield replace(job, protocol=protocol), partial(image_rows, trainer, opened, name)
