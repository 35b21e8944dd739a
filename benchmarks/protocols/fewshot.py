"""Few-shot classification of the evaluated part."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from lowlabel.arrays import as_counts, as_integers
from lowlabel.benchmarks.protocols.base import without_groups
from lowlabel.benchmarks.protocols.compressed import CompressedProtocol
from lowlabel.benchmarks.protocols.trial import ProtocolScores, Trial
from lowlabel.benchmarks.tuning import TUNING_TASKS, Choice, choose
from lowlabel.datasets import Division, ImageSet
from lowlabel.datasets.base import VALIDATION
from lowlabel.errors import number_of
from lowlabel.features import EmbeddedDataset, check_feature_file
from lowlabel.features.embedded import FILE
from lowlabel.features.made_elsewhere.train_file import with_train_features
from lowlabel.fewshot import Method, build_method, evaluate_fewshot, half_tasks, interval_kind
from lowlabel.fewshot.episodes import check_class_sizes
from lowlabel.progress import format_duration, progress_bar
from lowlabel.results import Experiment, Score


@dataclass(frozen=True, kw_only=True)
class FewShot(CompressedProtocol):
    """Accuracy over random tasks, by number of shots and method.

    Attributes:
        method: Methods, or their specs.
        ways: Classes in a task.
        shots: Labelled images per class; a record for each.
        queries: Query images per class, on average.
        tasks: Number of tasks.
        seed: Random seed. The same seed gives every model and method the same tasks.
        query_distribution: "balanced" or "dirichlet"; see `lowlabel.fewshot.evaluate_fewshot`.
        groups: "apart" keeps a group (patient, camera) on one side of a task, "mixed" does not.
        interval: The 95 % confidence interval that tables show; see
            `lowlabel.fewshot.evaluate_fewshot`.
        tune: Whether hyper-parameters are chosen on the validation part.
        train_features: A file of embeddings of base classes, for embeddings made elsewhere.
        strict: Whether a method that the embeddings do not fit is an error, rather than left out.
    """

    name: ClassVar[str] = "fewshot"
    suite: ClassVar[str] = "fewshot"

    method: tuple[Method, ...] = ()
    ways: int = 5
    shots: tuple[int, ...] = (1, 5)
    queries: int = 15
    tasks: int = 10_000
    seed: int = 0
    query_distribution: Literal["balanced", "dirichlet"] = "balanced"
    groups: Literal["apart", "mixed"] = "apart"
    interval: Literal["images", "groups", "tasks", "classes", "open", "normal", "student-t"] = (
        "images"
    )
    tune: bool = False
    train_features: Path | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        as_integers(1, ways=self.ways, queries=self.queries, tasks=self.tasks)
        as_counts(self.shots, "shots")
        as_integers(0, seed=self.seed)
        object.__setattr__(self, "method", tuple(map(build_method, self.method)))
        if self.train_features is not None:
            check_feature_file(self.train_features, "--train-features")

    def needs(self, division: Division) -> tuple[str, ...]:
        """The base part if a method learns from it, the validation part to tune on, the rest."""
        if division.kind != "classes":
            return ()
        base = division.train_part if any(m.needs_base for m in self.method) else None
        validation = division.validation_part if self.tune else None
        return tuple(part for part in (base, validation, division.evaluated) if part)

    def prepared(self, data: EmbeddedDataset) -> EmbeddedDataset:
        """Takes the file of embeddings of base classes, and compresses all."""
        every = with_train_features(data, self.train_features) if self.train_features else data
        return super().prepared(every)

    def unfit(self, division: Division) -> str | None:
        """Tuning needs a validation part, and a file of base classes a method that learns."""
        if not self.method:
            return "no few-shot method is named: add --method ncm."
        if self.interval == "groups" and (why := without_groups(division)):
            return why
        if self.train_features is not None:
            if division.name != FILE:
                return "--train-features goes with --features: leave it out to learn from images."
            if not any(method.needs_base for method in self.method):
                return "learns nothing from --train-features: add --method dc, or leave it out."
        tunable = [method.spec for method in self.method if len(method.candidates()) > 1]
        if not self.tune or not tunable or division.validation_part:
            return None
        return (
            f"{', '.join(tunable)} cannot be tuned: the dataset has no validation part. Leave "
            "--tune out, or take a dataset with base, val and novel parts."
        )

    def check_images(self, images: ImageSet) -> None:
        """Every class must have images for tasks of the fewest shots."""
        check_class_sizes(images.labels, self.ways, self.shots, self.queries)

    def trials(self, data: EmbeddedDataset, device: str) -> Iterator[Trial]:
        """Yields a trial for each number of shots and method."""
        for shots in self.shots:
            for method in self.method:
                if self.strict or _reason_against(method, data) is None:
                    run = partial(self._score, data, shots, method, device)
                    experiment = self._experiment(data, shots, method)
                    yield Trial((experiment,), run, interval_kind(self.interval))

    def left_out(self, data: EmbeddedDataset) -> list[str]:
        """Methods of the suite that the embeddings do not fit."""
        if self.strict:
            return []
        reasons = {method.spec: _reason_against(method, data) for method in self.method}
        return [f"{spec} on {data.title}: {why}" for spec, why in reasons.items() if why]

    def stages(self) -> tuple[Self, ...]:
        """Methods that take long come after the others."""
        slow = tuple(method for method in self.method if any(method.task_ms))
        quick = tuple(method for method in self.method if method not in slow)
        if not slow or not quick:
            return (self,)
        learns = any(method.needs_base for method in quick)
        base = self.train_features if learns else None
        return replace(self, method=quick, train_features=base), replace(self, method=slow)

    def joined(self, other: Self) -> Self:
        """Adds the methods of the other suite."""
        return self.with_options({"method": tuple(dict.fromkeys(self.method + other.method))})

    def describe(self) -> str:
        """Such as "5-way 1/5-shot × 10,000 tasks × 8 methods"; the time of those that take long."""
        shots = "/".join(map(str, self.shots))
        tasks, methods = number_of(self.tasks, "tasks"), number_of(len(self.method), "methods")
        text = f"{self.ways}-way {shots}-shot × {tasks} × {methods}"
        slow = [method for method in self.method if any(method.task_ms)]
        if not slow:
            return text
        scale = len(self.shots) * self.ways / 5 / 1000
        least, most = (
            format_duration(scale * sum(self._tasks(m) * m.task_ms[place] for m in slow))
            for place in (0, 1)
        )
        names = ", ".join(method.spec for method in slow)
        return f"{text}, {names}: {least} to {most} on two cores (384 to 640 dimensions)"

    def _tasks(self, method: Method) -> int:
        """Number of tasks for a number of shots, with those of half-sampling."""
        halves = (
            half_tasks(method.splits, self.tasks) if self.interval in ("images", "groups") else 0
        )
        return self.tasks + halves

    def _experiment(self, data: EmbeddedDataset, shots: int, method: Method) -> Experiment:
        options: dict[str, object] = {
            "ways": self.ways,
            "shots": shots,
            "queries": self.queries,
            "query_distribution": self.query_distribution,
            "tasks": self.tasks,
            "seed": self.seed,
        }
        name = f"{self.ways}-way {shots}-shot"
        if self.query_distribution != "balanced":
            name += f", {self.query_distribution.capitalize()} queries"
        if self._apart(data):
            name += ", groups apart"
            options["groups"] = self.groups
        if self.interval == "student-t":  # of older records; no other kind is in the identity
            options["interval"] = self.interval
        tuned = {"tuned": self._tuning()} if self._tunes(method) else {}
        return self.experiment(
            data,
            name,
            options,
            self.method_info(method, tuned),
            data.evaluated_part,
            data.train_part if method.needs_base else None,
            VALIDATION if tuned else None,
        )

    def _score(
        self, data: EmbeddedDataset, shots: int, method: Method, device: str
    ) -> list[ProtocolScores]:
        sampled: dict[str, Any] = {
            "ways": self.ways,
            "shots": shots,
            "queries": self.queries,
            "query_distribution": self.query_distribution,
            "seed": self.seed,
            "groups_apart": self._apart(data),
        }
        choice = Choice(method)
        if self._tunes(method):
            tasks = self._tuning()["tasks"]
            choice = choose(method, data, device=device, tasks=tasks, **sampled)
        title = f"{choice.method.spec} {shots}-shot on {data.title}"
        if self.interval in ("images", "groups", "open"):
            title += ", with the tasks of its interval"
        base = data.train if method.needs_base else None
        with progress_bar(title, "task") as progress:
            result = evaluate_fewshot(
                data.evaluated.features,
                data.evaluated.labels,
                base=(base.features, base.labels) if base else None,
                method=choice.method,
                tasks=self.tasks,
                groups=data.evaluated.groups,
                interval=self.interval,
                device=device,
                progress=progress,
                **sampled,
            )
        return [
            ProtocolScores(
                {"accuracy": Score(result.mean, result.ci95)},
                {"accuracy": result.accuracies},
                result.ci95_definition,
                {"tasks": result.tasks, **self.bytes_of(data)},
                result.task_hash,
                choice.record(),
                {"accuracy": result.intervals},
                deterministic=not method.iterated,
            )
        ]

    def _apart(self, data: EmbeddedDataset) -> bool:
        return self.groups == "apart" and data.evaluated.groups is not None

    def _tunes(self, method: Method) -> bool:
        return self.tune and len(method.candidates()) > 1

    def _tuning(self) -> dict[str, object]:
        """What the choice depends on, besides the method and the sampling of the scored tasks."""
        return {"part": VALIDATION, "tasks": min(self.tasks, TUNING_TASKS), "seed": self.seed}


def _reason_against(method: Method, data: EmbeddedDataset) -> str | None:
    """Why a method cannot run on the embeddings; None if it can."""
    if method.needs_base and data.train is None:
        return "it needs base classes, and there are none"
    if method.needs_non_negative and data.evaluated.features.min() < 0:
        return "it needs features without negative values"
    return None
