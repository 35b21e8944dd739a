"""Accuracy against labels per class: labelled train images are drawn, all test images scored."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from lowlabel.arrays import as_integers
from lowlabel.benchmarks.from_labels import FromLabels, Trainer
from lowlabel.benchmarks.protocols.supervised import Supervised, train_table
from lowlabel.benchmarks.protocols.trial import ProtocolScores, Trial
from lowlabel.classification.budget import (
    BudgetResult,
    BudgetTask,
    Draws,
    Learner,
    build_budgets,
    build_learner,
    repeated,
)
from lowlabel.classification.unfinished import Unfinished
from lowlabel.datasets import Division, OpenDataset
from lowlabel.datasets.labelled_list import Listed, listed_rows, read_labelled_list
from lowlabel.datasets.parts import BASE
from lowlabel.errors import InputError, number_of
from lowlabel.features import EmbeddedDataset
from lowlabel.features.embedded import FILE
from lowlabel.paths import file_sha256
from lowlabel.progress import progress_bar
from lowlabel.results import Experiment, MethodInfo, Score
from lowlabel.results.labels import protocol_label


@dataclass(frozen=True, kw_only=True)
class LabelBudget(Supervised):
    """Accuracy with few labels per class, a record for each budget and method.

    Attributes:
        method: Methods, or their specs: few-shot methods, and those of
            `lowlabel.classification.budget.LEARNERS`.
        budgets: Numbers of labels per class (5), and shares of each class ("10%").
        draws: Number of draws of labelled images for each budget.
        seed: Random seed. The same seed gives every model and method the same draws.
        short: What to do with classes that have fewer images than a budget: "leave-out", leave the
            budget out; "error", the default for budgets of the command line; "all", label all of
            their images.
        interval: What the 95 % confidence intervals in tables are over: "images" (draws and test
            images), "draws" or "classes"; records have all.
        labelled: Files with the names of labelled train images, one a line: further budgets.
        strict: Whether a method that the embeddings do not fit is an error; by default it is left
            out, and this is said, as is a method that takes too much memory at a budget.
    """

    name: ClassVar[str] = "label-budget"
    suite: ClassVar[str] = "label-budget"
    gives_labels: ClassVar[bool] = True

    method: tuple[Learner, ...] = ()
    budgets: tuple[int | str, ...] = ()
    draws: int = 5
    seed: int = 0
    short: Literal["leave-out", "error", "all"] = "leave-out"
    interval: Literal["images", "groups", "draws", "classes"] = "images"  # type: ignore[assignment]
    labelled: tuple[Path, ...] = ()
    strict: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        as_integers(1, draws=self.draws)
        as_integers(0, seed=self.seed)
        object.__setattr__(self, "method", tuple(map(build_learner, self.method)))
        if self.budgets or not self.labelled:
            build_budgets(self.budgets)
        for path in self.labelled:
            read_labelled_list(path)
        names = [path.name for path in self.labelled]
        if len(set(names)) < len(names):
            raise InputError(f"two lists are called {max(names, key=names.count)}", "Rename one.")

    def with_options(self, values: Mapping[str, Any]) -> Self:
        """Overrides fields; budgets that are named must be possible."""
        named = {"short": "error"} if "budgets" in values else {}
        return super().with_options({**named, **values})

    def needs(self, division: Division) -> tuple[str, ...]:
        """The train part, base classes if a method uses them, the evaluated part."""
        parts = super().needs(division)
        uses_base = any(each.needs_base for each in self.method) and division.train_part != BASE
        if not parts or not uses_base or BASE not in division.parts:
            return parts
        return tuple(dict.fromkeys((*parts[:-1], BASE, parts[-1])))

    def unfit(self, division: Division) -> str | None:
        """As `Supervised`; lists name image files, and a method must be named."""
        if not self.method:
            return "no method is named: add --method ncm."
        if self.labelled and division.name == FILE:
            return "label-budget.labelled names image files, and --features has none: leave it out."
        return super().unfit(division)

    def from_labels(self, trainer: Trainer, opened: OpenDataset) -> Self:
        """The same budgets and draws, whose images a network is trained on."""
        train, scored = opened.division.train_part, opened.division.evaluated
        assert train is not None  # as `needs` says
        return replace(self, method=(FromLabels.on(trainer, opened, train, scored),))

    def prepared(self, data: EmbeddedDataset) -> EmbeddedDataset:
        """Takes the file of embeddings to learn from; its base classes stay."""
        found = super().prepared(data)
        if found is data or data.train is None:
            return found
        return replace(found, tables={**found.tables, BASE: data.train})

    def trials(self, data: EmbeddedDataset, device: str) -> Iterator[Trial]:
        """Yields a trial for each budget and method."""
        task, scored = self._task(data, device), 0
        for learner in self.method if self.strict else ():
            if reason := learner.unfit(task.tables):
                raise InputError(f"{learner.spec} on {data.title}: {reason}")
        for draws in _different(task):
            for learner in self.method:
                if not (learner.unfit(task.tables) or learner.reason_against(task.tables, draws)):
                    run = partial(self._score, data, task, draws, learner)
                    experiment = self._experiment(data, draws, learner)
                    yield Trial((experiment,), run, self.interval, run)
                    scored += 1
        if not scored:
            notes = "; ".join(self.left_out(data))
            raise InputError(f"no budget and method can be scored on {data.title}: {notes}")

    def left_out(self, data: EmbeddedDataset) -> list[str]:
        """Budgets with too few images or those of another budget, unfit methods, lost names."""
        task = self._task(data, "cpu")
        notes = [
            f"{listed.missing:,} images of {path} that {data.title} does not have"
            for path, listed in self._lists(data).items()
            if listed.missing
        ]
        if task.left_out:
            first = next(iter(task.left_out.values()))
            notes.append(f"label budgets {', '.join(task.left_out)} on {data.title}: {first}")
        notes += [
            f"label budget {name} on {data.title}: it labels the same images as {_shown(kept)}"
            for name, kept in repeated(task.draws).items()
        ]
        for learner in self.method:
            if reason := learner.unfit(task.tables):
                notes.append(f"{learner.spec} on {data.title}: {reason}")
                continue
            for draws in _different(task):
                if reason := learner.reason_against(task.tables, draws):
                    notes.append(f"{_at(learner, draws)} on {data.title}: {reason}")
        return notes

    def describe(self) -> str:
        """Such as "13 label budgets × 5 draws × 7 methods"."""
        counts = {
            "label budgets": len(self.budgets) + len(self.labelled),
            "draws": self.draws,
            "methods": len(self.method),
        }
        return " × ".join(number_of(count, what) for what, count in counts.items())

    def joined(self, other: Self) -> Self:
        """Adds the methods of the other suite."""
        return self.with_options({"method": tuple(dict.fromkeys(self.method + other.method))})

    def _task(self, data: EmbeddedDataset, device: str) -> BudgetTask:
        train, base = train_table(data), _base(data)
        return BudgetTask.of(
            (train.features, train.labels),
            (data.evaluated.features, data.evaluated.labels),
            budgets=build_budgets(self.budgets) if self.budgets else (),
            draws=self.draws,
            base=base,
            lists={path.name: listed.rows for path, listed in self._lists(data).items()},
            short=self.short,
            seed=self.seed,
            device=device,
            groups=data.evaluated.groups,
            interval=self.interval,
            class_names=data.class_names,
        )

    def _lists(self, data: EmbeddedDataset) -> dict[Path, Listed]:
        """The rows of the lists in the train table, which has none for images that are bad."""
        if not self.labelled:
            return {}
        bad = set(train_table(data).bad_images)
        paths = [path for path in data.images[data.train_part or ""].paths if path not in bad]
        return {path: listed_rows(path, paths) for path in self.labelled}

    def _experiment(self, data: EmbeddedDataset, draws: Draws, learner: Learner) -> Experiment:
        budget = draws.budget
        options: dict[str, object] = {"budget": budget.name, "draws": self.draws, "seed": self.seed}
        if budget.rows:
            (path,) = (path for path in self.labelled if path.name == budget.name)
            options = {"list": file_sha256(path)}
        elif draws.short:
            options["short"] = self.short
        return self.experiment(
            data,
            budget.title,
            options,
            MethodInfo(learner.spec, {**learner.options}, learner.transductive, learner.arithmetic),
            data.train_part,
            BASE if learner.needs_base else None,
            data.evaluated_part,
        )

    def _score(
        self,
        data: EmbeddedDataset,
        task: BudgetTask,
        draws: Draws,
        learner: Learner,
        path: Path | None = None,
    ) -> list[ProtocolScores]:
        made = {"experiment": self._experiment(data, draws, learner).identity()}
        unfinished = None if path is None else Unfinished(path, made)
        with progress_bar(f"{_at(learner, draws)} on {data.title}", "draw") as progress:
            scores = _scores(task.score(learner, draws, progress, unfinished), data)
        return [replace(scores, deterministic=not learner.iterated)]


def _at(learner: Learner, draws: Draws) -> str:
    return f"{learner.spec} with {_shown(draws)}"


def _shown(draws: Draws) -> str:
    return protocol_label(draws.budget.title)


def _different(task: BudgetTask) -> list[Draws]:
    """The draws without those of budgets that label the same images as another one."""
    same = repeated(task.draws)
    return [draws for draws in task.draws if draws.budget.name not in same]


def _base(data: EmbeddedDataset) -> tuple[Any, Any] | None:
    """Base classes beside the train part."""
    table = data.tables.get(BASE) if data.train_part != BASE else None
    return (table.features, table.labels) if table else None


def _scores(result: BudgetResult, data: EmbeddedDataset) -> ProtocolScores:
    counts = {
        "images": len(data.evaluated.labels),
        "draws": result.draws,
        "labelled": result.labelled,
        "classes": result.classes,
    }
    return ProtocolScores(
        {name: Score(mean, result.ci95[name]) for name, mean in result.metrics.items()},
        result.values,
        result.ci95_definition,
        {**counts, **result.counts},
        result.task_hash,
        intervals=result.intervals,
    )
