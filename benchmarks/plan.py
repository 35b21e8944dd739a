"""From a request to jobs: every name is resolved to an object here, once."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from lowlabel.benchmarks.checks import (
    check_datasets,
    check_folders,
    check_models,
    check_options,
    check_trained,
    ignored_options,
    needing_one_label,
    without_options,
)
from lowlabel.benchmarks.declared import declared_features
from lowlabel.benchmarks.from_labels import Trainer, scratch_trainers
from lowlabel.benchmarks.jobs import Job, file_jobs, ranking_jobs, suite_jobs
from lowlabel.benchmarks.request import Request
from lowlabel.benchmarks.suite import Suite, load_suite
from lowlabel.datasets import find_dataset, is_present, open_dataset
from lowlabel.datasets.io.flagged import FlaggedImages, read_flagged
from lowlabel.datasets.io.overlap import Overlap, read_overlap
from lowlabel.devices import resolve_device
from lowlabel.errors import DataError
from lowlabel.features import EmbeddedDataset, RankingFile, embedded_file, read_ranking_file


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        suite: The suite, with the options that were asked for.
        jobs: What will be scored, in order.
        skipped: What will not be scored, each with the reason and the command that fixes it.
        file: Embeddings made elsewhere, if they are what is scored.
        ranking: Ranked lists made elsewhere, if they are what is scored.
        flagged: Images to leave out, if a file names some.
        leaked: Images that the models were pretrained on, if a file names some.
        overlap: Images and classes that a user's list says their pretraining data hold.
        trainers: What trains the models that learn from the labels of a budget alone, by model.
    """

    suite: Suite
    jobs: tuple[Job, ...]
    skipped: tuple[str, ...]
    file: EmbeddedDataset | None = None
    ranking: RankingFile | None = None
    flagged: FlaggedImages | None = None
    leaked: FlaggedImages | None = None
    overlap: Overlap | None = None
    trainers: Mapping[str, Trainer] = field(default_factory=dict)


def make_plan(request: Request) -> Plan:
    """Resolves a request; every name in it is looked up before any work begins.

    Raises:
        UnknownNameError: For a name that does not exist, of whatever kind.
        InputError: If no model is named, or an option means nothing to the chosen protocols.
        DataError: If a dataset that was named is missing, or all of the suite's are.
    """
    suite = load_suite(request.suite)
    suite = suite.with_options(request.options, request.protocol_settings())
    label = request.label or (() if request.model else suite.label)
    suite = dataclasses.replace(suite, model=request.model or suite.model, label=label)
    flagged = read_flagged(request.without, request.reasons) if request.without else None
    leaked = read_flagged(request.leakage) if request.leakage else None
    overlap = read_overlap(request.overlap) if request.overlap else None
    file, trainers = None, dict[str, Trainer]()
    if request.features:
        file = embedded_file(request.features, suite.label_of(0), request.features_key)
        if request.features_of:
            file = declared_features(request.features_of, file)
        wanted = file_jobs(suite, file)
    elif request.ranking:
        wanted = ranking_jobs(suite, request)
    else:
        check_models(suite, request)
        wanted = suite_jobs(suite, request)
        trainers = scratch_trainers(suite.model, request.make_trainer)
        check_trained(trainers, request, wanted)
    resolve_device(request.backbone.device)
    for job in wanted:
        job.protocol.backbone(request.backbone)  # checks its options
    check_datasets(suite, request, wanted)
    check_options(suite, request, wanted)
    reasons = [_unfit(job) or _missing(job, file) for job in wanted]
    jobs = tuple(job for job, reason in zip(wanted, reasons, strict=True) if not reason)
    absent = tuple(dict.fromkeys(filter(None, reasons)))
    if absent and (request.dataset or file or not jobs):
        missing = any(_missing(job, file) for job in wanted)
        hint = "Or try the suite on the built-in data: --dataset demo" if missing else ""
        raise DataError("\n".join(absent), hint)
    notes_of_files = () if file else check_folders(jobs)
    ignored = (
        *needing_one_label(suite, request),
        *without_options(request, jobs),
        *ignored_options(trainers, request),
    )
    return Plan(
        suite,
        jobs,
        (*absent, *ignored, *notes_of_files),
        file,
        read_ranking_file(request.ranking) if request.ranking else None,
        flagged,
        leaked,
        overlap,
        trainers,
    )


def _unfit(job: Job) -> str | None:
    return (why := job.protocol.unfit(job.division)) and f"{job.dataset}: {why}"


def _missing(job: Job, file: EmbeddedDataset | None) -> str | None:
    """Why a job cannot be done, with the command that fixes it; None if it can."""
    if file:
        return None
    dataset, needs = find_dataset(job.dataset)[0], job.division.needs
    if needs and is_present(dataset) and not (open_dataset(job.dataset).root / needs).exists():
        return (
            f"{dataset.title} has no {needs}, which {job.dataset} takes. Add it to the archive; "
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
