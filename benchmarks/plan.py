"""From a request to jobs: every name is resolved to an object here, once."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lowlabel.benchmarks.from_labels import check_scratch, is_scratch
from lowlabel.benchmarks.protocols import PROTOCOLS, Protocol
from lowlabel.benchmarks.request import Request
from lowlabel.benchmarks.suite import Suite, load_suite
from lowlabel.datasets import Division, find_dataset, is_present, open_dataset
from lowlabel.datasets.class_list import only_classes
from lowlabel.datasets.io.flagged import FlaggedImages, read_flagged
from lowlabel.datasets.io.listing import shown_counts
from lowlabel.devices import resolve_device
from lowlabel.errors import DataError, InputError
from lowlabel.features import EmbeddedDataset, check_model, embedded_file, file_division


@dataclass(frozen=True)
class Job:
    """One dataset under one protocol, for every model.

    Attributes:
        dataset: Name, as on the command line; of embeddings made elsewhere, the file's.
        division: The division to take.
        protocol: The protocol, with what the dataset decides.
        stage: Jobs of a stage are done before those of the next one.
    """

    dataset: str
    division: Division
    protocol: Protocol
    stage: int = 0


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        suite: The suite, with the options that were asked for.
        jobs: What will be scored, in order.
        skipped: What will not be scored, each with the reason and the command that fixes it.
        file: Embeddings made elsewhere, if they are what is scored.
        flagged: Images to leave out, if a file names some.
        leaked: Images that the models were pretrained on, if a file names some.
    """

    suite: Suite
    jobs: tuple[Job, ...]
    skipped: tuple[str, ...]
    file: EmbeddedDataset | None = None
    flagged: FlaggedImages | None = None
    leaked: FlaggedImages | None = None


def make_plan(request: Request) -> Plan:
    """Resolves a request; every name in it is looked up before any work begins.

    Raises:
        UnknownNameError: For a name that does not exist, of whatever kind.
        InputError: If no model is named, or an option means nothing to the chosen protocols.
        DataError: If a dataset that was named is missing, or all of the suite's are.
    """
    suite = load_suite(request.suite)
    suite = suite.with_options(request.options, request.protocol_settings())
    suite = dataclasses.replace(suite, model=request.model or suite.model)
    flagged = read_flagged(request.without, request.reasons) if request.without else None
    leaked = read_flagged(request.leakage) if request.leakage else None
    file = None
    if request.features:
        file = embedded_file(request.features, request.label_of())
        wanted = _file_jobs(suite, file)
    else:
        _check_models(suite, request)
        wanted = _jobs(suite, request.class_list)
        scratch = {model: request.make_trainer for model in suite.model if is_scratch(model)}
        if scratch and (flagged or leaked):
            raise InputError(
                f"{next(iter(scratch))} learns from all images, so --without and --leakage do not "
                "go with it",
                "Leave them out, or score other models with them.",
            )
        check_scratch(scratch, {job.protocol.name for job in wanted})
    resolve_device(request.backbone.device)
    for job in wanted:
        job.protocol.backbone(request.backbone)  # checks its options
    _check_datasets(suite, request, wanted)
    _check_options(suite, request, wanted)
    notes = [_unfit(job) or _missing(job, file) for job in wanted]
    jobs = tuple(job for job, note in zip(wanted, notes, strict=True) if not note)
    absent = tuple(dict.fromkeys(note for note in notes if note))
    if absent and (request.dataset or file or not jobs):
        missing = any(_missing(job, file) for job in wanted)
        hint = "Or try the suite on the built-in data: --dataset demo" if missing else ""
        raise DataError("\n".join(absent), hint)
    notes_of_files = () if file else _check_folders(jobs)
    notes_of_plan = (*absent, *_without_options(request, jobs), *notes_of_files)
    return Plan(suite, jobs, notes_of_plan, file, flagged, leaked)


def _jobs(suite: Suite, class_list: Path | None) -> list[Job]:
    """Each protocol with those of its datasets that fit, with the listed classes alone."""
    jobs = [
        Job(
            spec,
            only_classes(division, class_list) if class_list else division,
            each.for_dataset(find_dataset(spec)[0]),
            stage,
        )
        for protocol in suite.protocols
        for stage, each in enumerate(protocol.stages())
        for spec in protocol.dataset
        if (division := each.division_of(spec))
    ]
    return sorted(jobs, key=lambda job: job.stage)


def _file_jobs(suite: Suite, file: EmbeddedDataset) -> list[Job]:
    division = file_division(file)
    jobs = [
        Job(file.title, division, each.for_dataset(None), stage)
        for protocol in suite.protocols
        for stage, each in enumerate(protocol.stages())
        if each.needs(division)
    ]
    return sorted(jobs, key=lambda job: job.stage)


def _check_models(suite: Suite, request: Request) -> None:
    if not suite.model:
        raise InputError(
            f"suite {suite.name} needs a model", "Name one: --model dino_vits16 (see lowlabel list)"
        )
    if request.label and len(request.label) != len(suite.model):
        raise InputError(
            f"{len(request.label)} labels for {len(suite.model)} models",
            "Give --label once for every --model, in the same order, or not at all.",
        )
    for model in suite.model:
        if not is_scratch(model):
            check_model(model)


def _check_datasets(suite: Suite, request: Request, jobs: list[Job]) -> None:
    unfit = sorted(set(request.dataset) - {job.dataset for job in jobs})
    if unfit:
        reasons = {spec: _unshared(spec) for spec in unfit}
        hints = [
            f"Suite {suite.name} takes {protocol.takes}."
            for protocol in suite.protocols
            if protocol.takes
        ] or [
            "Landmarks and copies are scored by --suite retrieval; few-shot classification needs "
            "classes."
        ]
        if any(reasons.values()):
            hints.append("Add train images of the classes, or move the classes out of the parts.")
        named = (f"{spec}: {reason}" if reason else spec for spec, reason in reasons.items())
        raise InputError(
            f"suite {suite.name} has no protocol for {', '.join(named)}",
            "\n".join(dict.fromkeys(hints)),
        )


def _unshared(spec: str) -> str:
    """Which classes the train part of a folder lacks; empty for other datasets."""
    return next((each.unshared for each in find_dataset(spec)[0].divisions if each.unshared), "")


def _check_options(suite: Suite, request: Request, jobs: list[Job]) -> None:
    """Refuses options that no protocol with a job has."""
    chosen = {job.protocol.name for job in jobs}
    for option in request.options:
        owners = [name for name, kind in PROTOCOLS.items() if option in kind.options()]
        if not chosen & set(owners):
            flag = f"--{option.replace('_', '-')}"
            raise InputError(
                f"{flag} is not an option of {', '.join(sorted(chosen)) or suite.name}",
                f"{' and '.join(owners)} {'takes' if len(owners) == 1 else 'take'} it: choose a "
                f"suite and a dataset for that, or leave {flag} out.",
            )
    for name in request.protocol_settings():
        if name not in chosen:
            raise InputError(
                f"--set {name}.… means nothing here: nothing is scored by {name}",
                f"The protocols of this run: {', '.join(sorted(chosen))}.",
            )


def _without_options(request: Request, jobs: Sequence[Job]) -> list[str]:
    """Options and values that are meant for another protocol of the same kind than a job's."""
    notes = (
        _unmet(option, value, job) for option, value in request.options.items() for job in jobs
    )
    return [note for note in notes if note]


def _unmet(option: str, value: object, job: Job) -> str | None:
    protocol, flag = job.protocol, f"--{option.replace('_', '-')}"
    if option in protocol.options():
        if protocol.has_option(option, value):
            return None
        own = getattr(protocol, option)
        return f"{flag} {value} on {job.dataset}: {protocol.name} has no such one; it keeps {own}"
    kin = (kind for kind in PROTOCOLS.values() if kind.suite == protocol.suite)
    if not any(option in kind.options() for kind in kin):
        return None
    return f"{flag} on {job.dataset}: {protocol.name} has no such option"


def _check_folders(jobs: Sequence[Job]) -> tuple[str, ...]:
    """Refuses folders that have no classes to tell apart; returns what they hold besides images."""
    notes: dict[str, None] = {}
    for job in jobs:
        if find_dataset(job.dataset)[0].marker:
            continue
        opened = open_dataset(job.dataset, job.division)
        for part in job.protocol.needs(job.division):
            opened.check_classes(part)
            if note := shown_counts(opened.left_out(part)):
                notes[f"{job.dataset} {part}: {note}"] = None
    return tuple(notes)


def _unfit(job: Job) -> str | None:
    reason = job.protocol.unfit(job.division)
    return f"{job.dataset}: {reason}" if reason else None


def _missing(job: Job, file: EmbeddedDataset | None) -> str | None:
    """Why a job cannot be done, with the command that fixes it; None if it can."""
    if file:
        return None
    dataset, folder = find_dataset(job.dataset)[0], job.division.folder
    if folder and is_present(dataset) and not (open_dataset(job.dataset).root / folder).is_dir():
        return (
            f"{dataset.title} has no {folder}/, which {job.dataset} takes. Add it to the archive; "
            f"then: lowlabel prepare {dataset.name} --archive FILE"
        )
    others = job.protocol.companions().values()
    return next((note for spec in (job.dataset, *others) if (note := _absence(spec))), None)


def _absence(spec: str) -> str | None:
    dataset, _ = find_dataset(spec)
    if not dataset.marker or is_present(dataset):
        return None
    return (
        f"{dataset.title} is not prepared. Get {dataset.obtain}; "
        f"then: lowlabel prepare {dataset.name} --archive FILE"
    )
