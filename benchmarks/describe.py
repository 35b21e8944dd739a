"""The plan of a run as text, for `--dry-run`: nothing is loaded, made or written."""

import numpy as np
from tabulate import tabulate

from lowlabel.benchmarks.plan import Job, Plan
from lowlabel.benchmarks.request import Request
from lowlabel.datasets import Counts, find_dataset, open_dataset, prepared_folder
from lowlabel.features import EmbeddedDataset, cached_rows


def describe_plan(plan: Plan, request: Request) -> str:
    """A table of what would be scored, with counts and how much of it is cached.

    "cached" means that the store has features of this part from some model; the weights' hash,
    which decides, is known only once they are loaded.

    Raises:
        DataError: If a dataset is incomplete and that was not allowed.
    """
    lines = [f"suite {plan.suite.name}: {plan.suite.title}", f"records in {request.output}", ""]
    if plan.file:
        lines += [f"embeddings from {request.features}", ""]
    rows = [
        {"model": model, "dataset": job.dataset, "protocol": job.protocol.describe()} | facts
        for job in plan.jobs
        for facts in [_file_facts(plan.file) if plan.file else _facts(job, request)]
        for model in ([plan.file.embedder.name] if plan.file else plan.suite.model)
    ]
    lines.append(tabulate(rows, headers="keys", tablefmt="simple"))
    lines += [f"left out: {note}" for note in plan.skipped]
    return "\n".join(lines)


def _facts(job: Job, request: Request) -> dict[str, str]:
    dataset, division = find_dataset(job.dataset)[0], job.division
    part = division.evaluated
    if dataset.make and not prepared_folder(dataset).is_dir():
        return {"images": f"{division.expected[part]}, made first", "cached": "0"}
    opened = open_dataset(job.dataset, division, allow_partial=request.allow_partial)
    images = {needed: opened.load(needed) for needed in job.protocol.needs(division)}
    counts = division.counts(images[part])
    return {"images": str(counts), "cached": f"{cached_rows(opened.name, part):,}"}


def _file_facts(file: EmbeddedDataset) -> dict[str, str]:
    labels = file.evaluated.labels
    return {"images": str(Counts(len(labels), len(np.unique(labels))))}
