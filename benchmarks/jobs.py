"""What a suite scores: each protocol on each of its datasets."""

from dataclasses import dataclass

from lowlabel.benchmarks.protocols import Protocol
from lowlabel.benchmarks.request import Request
from lowlabel.benchmarks.suite import Suite
from lowlabel.datasets import Division, OpenDataset, find_dataset
from lowlabel.datasets.class_list import only_classes
from lowlabel.datasets.splits.min_images import enough_images
from lowlabel.errors import ClassError, InputError
from lowlabel.features import EmbeddedDataset, file_division


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

    def check_images(self, opened: OpenDataset) -> None:
        """Raises an `InputError` if the classes of the evaluated part do not fit the protocol."""
        images = opened.load(self.division.evaluated)
        try:
            self.protocol.check_images(images)
        except ClassError as error:
            raise error.named(images.class_names) from None


def suite_jobs(suite: Suite, request: Request) -> list[Job]:
    """Each protocol with those of its datasets that fit, with the chosen classes alone."""
    jobs = [
        Job(
            spec,
            _with_classes(division, spec, request),
            each.for_dataset(find_dataset(spec)[0]),
            stage,
        )
        for protocol in suite.protocols
        for stage, each in enumerate(protocol.stages())
        for spec in protocol.dataset
        if (division := each.division_of(spec))
    ]
    return sorted(jobs, key=lambda job: job.stage)


def _with_classes(division: Division, spec: str, request: Request) -> Division:
    if request.class_list:
        division = only_classes(division, request.class_list)
    return enough_images(find_dataset(spec)[0], division, request.min_images)


def ranking_jobs(suite: Suite, request: Request) -> list[Job]:
    """Those of `suite_jobs` that take ranked lists.

    Raises:
        InputError: If none does, or an option needs embeddings.
    """
    jobs = [job for job in suite_jobs(suite, request) if job.protocol.takes_ranking]
    if not jobs:
        raise InputError(
            f"suite {suite.name} scores no ranking of {', '.join(request.dataset)}",
            "Choose --suite retrieval, landmarks or copies, and a dataset that fits.",
        )
    for job in jobs:
        if why := job.protocol.unfit_ranking():
            raise InputError(f"{why}.", "Leave it out.")
    return jobs


def file_jobs(suite: Suite, file: EmbeddedDataset) -> list[Job]:
    """Each protocol that fits embeddings made elsewhere.

    Raises:
        InputError: If none does.
    """
    division = file_division(file)
    jobs = [
        Job(file.title, division, each.for_dataset(None), stage)
        for protocol in suite.protocols
        for stage, each in enumerate(protocol.stages())
        if each.needs(division)
    ]
    if not jobs:
        raise _unfit_file(suite, file)
    return sorted(jobs, key=lambda job: job.stage)


def _unfit_file(suite: Suite, file: EmbeddedDataset) -> InputError:
    """Says what embeddings made elsewhere lack for every protocol of a suite."""
    if file.several_labels and not any(each.several_labels for each in suite.protocols):
        return InputError(
            f"{file.title} has several labels of each row, and suite {suite.name} needs one",
            "Several labels are scored by --suite retrieval, knn and classification. For the "
            "others, save one label for each row: labels [N].",
        )
    if file.several_labels and file.train is not None:
        return InputError(
            f"{file.title} has several labels of each row, which the train part alone can vote for",
            "Leave knn.voters=half out.",
        )
    if any(protocol.takes for protocol in suite.protocols):
        lacks = "" if file.train is None else " with the labels of the rows to score"
        return InputError(
            f"suite {suite.name} learns from a train part, and {file.title} has none{lacks}",
            "Add base_features and base_labels with the same labels to the file, or "
            "--train-features FILE.",
        )
    return InputError(
        f"suite {suite.name} has no protocol for embeddings made elsewhere",
        "Choose --suite fewshot, knn or retrieval, or score images: --dataset NAME --model NAME.",
    )
