"""Opens the datasets of a job."""

from lowlabel.benchmarks.jobs import Job
from lowlabel.benchmarks.request import Request
from lowlabel.datasets import Division, OpenDataset, find_dataset, open_dataset
from lowlabel.features import EmbeddedDataset, RankingFile, ranked_dataset


def open_job(spec: str, division: Division, request: Request) -> OpenDataset:
    """Opens the dataset of a job, or one that joins it."""
    return open_dataset(spec, division, allow_partial=request.allow_partial)


def joining_division(spec: str) -> Division:
    """The division of a dataset whose images join a gallery: that of its test images."""
    dataset, name = find_dataset(spec)
    if name:
        return dataset.division(name)
    first = (
        division
        for division in dataset.divisions
        if division.evaluated in ("test", "query") and not division.shared_classes
    )
    return next(first, dataset.divisions[0])


def ranked_job(job: Job, file: RankingFile, request: Request) -> EmbeddedDataset:
    """The images of a job in the order of ranked lists."""
    companions = [
        open_job(spec, joining_division(spec), request)
        for spec in job.protocol.companions().values()
    ]
    return ranked_dataset(
        file,
        open_job(job.dataset, job.division, request),
        job.protocol.needs(job.division),
        label=next(iter(request.label), None),
        distractors=next(iter(companions), None),
    )
