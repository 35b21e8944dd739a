"""Cells of few-shot tasks: the truth of a world comes from many other images of its classes."""

from collections.abc import Iterator
from dataclasses import dataclass

from lowlabel.benchmarks.coverage.outcomes import DIFFERENCE, Outcome
from lowlabel.benchmarks.coverage.worlds import World, equal, unequal
from lowlabel.fewshot import FewShotResult, evaluate_fewshot
from lowlabel.intervals import half_sampling, jackknife, normal

_NAN = float("nan")
_FRESH = 1_000  # images of each class that stand for all
_FRESH_TASKS = 20_000
_TASKS = 10_000


@dataclass(frozen=True)
class FewShotCell:
    """Nearest centroids, 5-way.

    Attributes:
        classes: Number of classes.
        images: Images of each, on average.
        shots: Labelled images per class.
        same_size: Whether classes have one size.
        queries: Images per class to classify.
    """

    classes: int
    images: int
    shots: int
    same_size: bool = True
    queries: int = 15

    @property
    def name(self) -> str:
        """Such as "1-shot 20 × 60"."""
        sizes = "" if self.same_size else ", unequal"
        return f"{self.shots}-shot {self.classes} × {self.images}{sizes}"

    def outcomes(self, seed: int) -> Iterator[Outcome]:
        """Scores one world with two models of the same truth."""
        world = World.of((seed, self.classes, self.images), self.classes, 1.0)
        labels = (equal if self.same_size else unequal)(self.classes, self.images)
        hardness = world.hardness(len(labels))
        one, other = (
            evaluate_fewshot(
                world.images(labels, hardness),
                labels,
                shots=self.shots,
                queries=self.queries,
                tasks=_TASKS,
                seed=seed,
                interval="images",
                device="cpu",
            )
            for _ in range(2)
        )
        truth = self._truth(world, seed)
        for kind, target, known in (
            ("images", "images", truth),
            ("classes", "classes", _NAN),
            ("tasks", "images", truth),
        ):
            width = one.intervals[kind].half_width
            yield Outcome(self.name, seed, "accuracy", kind, target, one.mean, width, known)
        gap = one.mean - other.mean
        for kind, width in _of_the_difference(one, other).items():
            yield Outcome(self.name, seed, "accuracy", kind, DIFFERENCE, gap, width, 0.0)

    def _truth(self, world: World, seed: int) -> float:
        many = equal(self.classes, _FRESH)
        return evaluate_fewshot(
            world.images(many),
            many,
            shots=self.shots,
            queries=30,
            tasks=_FRESH_TASKS,
            seed=seed,
            interval="tasks",
            device="cpu",
        ).mean


def _of_the_difference(one: FewShotResult, other: FewShotResult) -> dict[str, float]:
    """Half-widths of the paired difference, by kind."""
    gap = one.accuracies - other.accuracies
    halves, classes = (
        [result.intervals[kind].replicates for result in (one, other)]
        for kind in ("images", "classes")
    )
    assert halves[0] is not None and halves[1] is not None
    assert classes[0] is not None and classes[1] is not None
    return {
        "images": half_sampling(halves[0] - halves[1], gap),
        "classes": jackknife(classes[0] - classes[1]),
        "tasks": normal(gap),
    }
