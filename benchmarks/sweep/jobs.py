"""The jobs of a sweep, and what tells whether one has to run again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lowlabel import __version__
from lowlabel.benchmarks.embedding import job_sources
from lowlabel.benchmarks.jobs import Job
from lowlabel.benchmarks.plan import Plan
from lowlabel.benchmarks.repeat import repeat_command
from lowlabel.benchmarks.request import Request
from lowlabel.errors import InputError
from lowlabel.features.key import slug
from lowlabel.features.models.weights_source import named_file
from lowlabel.paths import file_sha256, short_name
from lowlabel.specs import json_sha256

_CODE = "hub"  # kind of models whose code may change under one name


@dataclass(frozen=True)
class SweepJob:
    """One model on one dataset in one suite.

    Attributes:
        request: The run, of this model alone.
        dataset: The dataset.
        jobs: Its protocols.
    """

    request: Request
    dataset: str
    jobs: tuple[Job, ...]

    @property
    def model(self) -> str:
        """The model."""
        return self.request.model[0]

    @property
    def title(self) -> str:
        """Suite, model and dataset, for messages."""
        return f"{self.request.suite} {self.model} {self.dataset}"

    @property
    def name(self) -> str:
        """Name of its files: readable, and different for other options."""
        commands = [*self._commands(), self.model, self.dataset, *self.request.label]
        return f"{short_name(slug(self.title))}-{json_sha256(commands)[:12]}"

    def fingerprint(self) -> str | None:
        """Hash of all that decides its records; None if that is not known without computing.

        No image is read: images that changed since they were last hashed make it None, and so do
        models whose code may have changed. A weights file is known by its size and time.
        """
        if self.model.partition(":")[0] == _CODE:
            return None
        manifests = list(self._manifests())
        if None in manifests:
            return None
        facts = {
            "version": __version__,
            "commands": self._commands(),
            "protocols": [(job.protocol.name, job.protocol.version) for job in self.jobs],
            "files": [file_sha256(path) for path in self._files()],
            "weights": _weights_state(self.model),
            "images": manifests,
        }
        return json_sha256(facts)

    def _commands(self) -> list[str]:
        return [repeat_command(job, self.request, self.model) for job in self.jobs]

    def _files(self) -> list[Path]:
        """The files that options name."""
        request = self.request
        named = (request.class_list, request.without, request.leakage, request.overlap)
        train = request.options.get("train_features")
        return [Path(file) for file in (*named, train) if file is not None and Path(file).is_file()]

    def _manifests(self) -> Iterator[str | None]:
        for job in self.jobs:
            opened, stored = job_sources(job, self.request)
            parts = [opened.load(part) for part in job.protocol.needs(job.division)]
            parts += [other.load(other.division.evaluated) for other in stored.values()]
            for images in parts:
                manifest = images.known_manifest
                yield manifest and manifest.sha256


def sweep_jobs(plan: Plan, request: Request) -> list[SweepJob]:
    """The jobs of a plan, by model and dataset.

    Raises:
        InputError: If it scores embeddings made elsewhere.
    """
    if plan.file or plan.ranking:
        raise InputError(
            "what was made elsewhere is scored in one process, so --launcher does not go with it",
            "Leave --launcher out.",
        )
    found = []
    for place, model in enumerate(plan.suite.model):
        label = plan.suite.label_of(place)
        own = replace(request, model=(model,), label=(label,) if label else ())
        for dataset in dict.fromkeys(job.dataset for job in plan.jobs):
            jobs = tuple(job for job in plan.jobs if job.dataset == dataset)
            found.append(SweepJob(own, dataset, jobs))
    return found


def _weights_state(model: str) -> list[int]:
    """Size and time of the weights file that a model names; nothing for other models."""
    named = named_file(model)
    if named is None:
        return []
    stat = named[0].stat()
    return [stat.st_size, stat.st_mtime_ns]
