"""The plan of a run as text, for `--dry-run`: nothing is made or written, and no image is read."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
from tabulate import tabulate

from lowlabel.benchmarks.jobs import Job
from lowlabel.benchmarks.opening import open_job
from lowlabel.benchmarks.plan import Plan
from lowlabel.benchmarks.request import Request
from lowlabel.datasets import Counts, find_dataset, open_dataset, prepared_folder
from lowlabel.errors import InputError, number_of
from lowlabel.features import Backbone, BackboneOptions, EmbeddedDataset, cached_rows, check_weights

_TRAINED = "trained for each draw"
_LIBRARIES_GB = 1.2  # with blocks of rows; measured, see "Memory of large feature files" in docs
_DIMENSIONS = 384
Load = Callable[[str, BackboneOptions], Backbone]


def describe_plan(plan: Plan, request: Request) -> str:
    """A table of what would be scored, with counts and how much of it is cached.

    "cached" counts the stored rows of the model's features of the evaluated part. A model from a
    file or of the user's code is loaded if the store may have its features.

    Raises:
        UserError: If a dataset is incomplete and that was not allowed, or a weights file cannot be
            used.
    """
    lines, held = [f"suite {plan.suite.name}: {plan.suite.title}"], 0
    failures: dict[str, None] = {}
    lines += [f"records in {request.output}", ""]
    if plan.file:
        lines += [f"embeddings from {request.features}", ""]
        rows = [_row(plan.file.embedder.name, job) | _file_facts(plan.file) for job in plan.jobs]
    elif plan.ranking:
        lists = "{:,} lists of up to {:,} images".format(*plan.ranking.ranking.shape)
        lines += [f"ranking from {request.ranking}", ""]
        rows = [_row(plan.ranking.path.stem, job) | {"lists": lists} for job in plan.jobs]
    else:
        for model in plan.suite.model:
            check_weights(model)
        load = cache(lambda model, options: options.load(model))  # a BackboneOptions
        pairs = [(model, job) for job in plan.jobs for model in plan.suite.model]
        facts = [_facts(model, job, plan, request, load) for model, job in pairs]
        rows = [_row(*pair) | shown for pair, (shown, _) in zip(pairs, facts, strict=True)]
        held = max((images for _, images in facts), default=0)
        failures = dict.fromkeys(filter(None, (_unfit(job, request) for job in plan.jobs)))
    lines.append(tabulate(rows, headers="keys", tablefmt="simple"))
    if memory := _memory(plan.file, held):
        lines.append(memory)
    lines += [f"will fail: {failure}" for failure in failures]
    lines += [f"left out: {note}" for note in plan.skipped]
    if plan.flagged:
        lines.append(f"left out: {len(plan.flagged.images):,} flags of {plan.flagged.name}")
    if plan.leaked:
        lines.append(
            f"marked: {number_of(len(plan.leaked.images), 'images')} of {plan.leaked.name}"
        )
    if plan.overlap:
        named = f"{len(plan.overlap.named):,} images and classes"
        lines.append(f"marked: {named} of {plan.overlap.name}")
    return "\n".join(lines)


def _row(model: str, job: Job) -> dict[str, str]:
    return {"model": model, "dataset": job.dataset, "protocol": job.protocol.describe()}


def _facts(
    model: str, job: Job, plan: Plan, request: Request, load: Load
) -> tuple[dict[str, str], int]:
    """What a job takes and what is cached of it, with the number of images that it holds."""
    dataset, division = find_dataset(job.dataset)[0], job.division
    part = division.evaluated
    trainer = plan.trainers.get(model)
    if trainer and not job.protocol.gives_labels:
        return {"images": "left out: no labels to train on", "cached": ""}, 0
    if dataset.make and not prepared_folder(dataset).is_dir():
        count = division.expected.get(part, "unknown")
        return {"images": f"{count}, made first", "cached": _TRAINED if trainer else "0"}, 0
    opened = open_dataset(job.dataset, division, allow_partial=request.allow_partial)
    if trainer:
        text = job.protocol.from_labels(trainer, opened).describe()
        counts = str(division.counts(opened.load(part)))
        return {"protocol": text, "images": counts, "cached": _TRAINED}, 0
    images = {needed: opened.load(needed) for needed in job.protocol.needs(division)}

    def backbone() -> Backbone:
        asked = replace(request.backbone, device="cpu")
        return job.protocol.fitted(load(model, job.protocol.backbone(asked)), asked)

    rows = cached_rows(model, images[part], backbone)
    cached = "unknown until hashed" if rows is None else f"{rows:,}"
    shown = {"images": str(division.counts(images[part])), "cached": cached}
    return shown, sum(map(len, images.values()))


def _unfit(job: Job, request: Request) -> str:
    """Why a job will fail, as far as the names of its images tell; empty if it will not."""
    if find_dataset(job.dataset)[0].make:  # images of its own, which fit
        return ""
    try:
        job.check_images(open_job(job.dataset, job.division, request))
    except InputError as error:
        return f"{job.dataset}: {error}"
    return ""


def _memory(file: EmbeddedDataset | None, images: int) -> str:
    """What a run takes, as far as its features decide it; empty if no image is there yet."""
    if file:
        features = sum(table.features.nbytes for table in file.tables.values()) / 1e9
        parts = f"{features:.2g} GB of features, {_LIBRARIES_GB} GB for libraries and blocks"
        return f"memory: about {features + _LIBRARIES_GB:.1f} GB ({parts})"
    if not images:
        return ""
    features = 4 * _DIMENSIONS * images / 1e9
    return (
        f"memory: about {features + _LIBRARIES_GB:.1f} GB at {_DIMENSIONS} dimensions "
        f"({features:.2g} GB of features of {number_of(images, 'images')}, {_LIBRARIES_GB} GB "
        "for libraries and blocks); parts of more than 1.1 GB stay on the disk"
    )


def _file_facts(file: EmbeddedDataset) -> dict[str, str]:
    labels = file.evaluated.labels
    return {"images": str(Counts(len(labels), len(np.unique(labels))))}
