"""Cells of classifiers: k-NN, its groups of images, and label budgets."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lowlabel.benchmarks.coverage.outcomes import DIFFERENCE, Outcome
from lowlabel.benchmarks.coverage.worlds import Codes, Features, World, equal
from lowlabel.classification import BudgetResult, evaluate_knn, evaluate_label_budget
from lowlabel.intervals import normal

_NAN = float("nan")
_FRESH = 2_000  # test images of each class that stand for all
_K = 10
_BURST = 4


@dataclass(frozen=True)
class KNNCell:
    """Weighted k-NN, with fixed train images.

    Attributes:
        classes: Number of classes.
        images: Train images, and as many test images, of each.
        grouped: Whether test images come in bursts of four, which are their groups.
    """

    classes: int
    images: int
    grouped: bool = False

    @property
    def name(self) -> str:
        """Such as "k-NN 20 × 20"."""
        return f"k-NN {self.classes} × {self.images}{', bursts of 4' if self.grouped else ''}"

    def outcomes(self, seed: int) -> Iterator[Outcome]:
        """Scores one world; its truth comes from many other test images."""
        world = World.of((seed, self.classes, self.images), self.classes, 1.0)
        labels, burst = equal(self.classes, self.images), _BURST if self.grouped else 1
        train, hardness = world.images(labels), world.hardness(len(labels))
        groups = np.arange(len(labels)) // burst if self.grouped else None
        one, other = (
            evaluate_knn(
                train,
                labels,
                world.images(labels, hardness, burst),
                labels,
                k=_K,
                groups=groups,
                device="cpu",
            )
            for _ in range(2)
        )
        many, name = equal(self.classes, _FRESH), f"top1@{_K}"
        fresh = evaluate_knn(train, labels, world.images(many), many, k=_K, device="cpu")
        truth, mean = fresh.metrics[name], one.metrics[name]
        for kind, interval in one.intervals[name].items():
            fresh_images = "groups" if self.grouped else "images"
            target, known = ("classes", _NAN) if kind == "classes" else (fresh_images, truth)
            yield Outcome(self.name, seed, "top1", kind, target, mean, interval.half_width, known)
        if not self.grouped:
            gap = mean - other.metrics[name]
            hits = [each.correct[name].astype(np.float64) for each in (one, other)]
            width = 100 * normal(hits[0] - hits[1])
            yield Outcome(self.name, seed, "top1", "images", DIFFERENCE, gap, width, 0.0)


@dataclass(frozen=True)
class LabelBudgetCell:
    """Nearest centroids from a few labels of each class, over several draws of them.

    Attributes:
        classes: Number of classes.
        images: Test images of each; a draw takes its labels from three times as many.
        labels: Labels of each class.
    """

    classes: int
    images: int
    labels: int

    @property
    def name(self) -> str:
        """Such as "label budget 20 × 20, 5 labels"."""
        return f"label budget {self.classes} × {self.images}, {self.labels} labels"

    def outcomes(self, seed: int) -> Iterator[Outcome]:
        """Scores one world; its truth comes from many other labels and test images."""
        world = World.of((seed, self.classes, self.labels), self.classes, 1.0)
        test, pool = equal(self.classes, self.images), equal(self.classes, 3 * self.images)
        many = equal(self.classes, _FRESH // 10)
        tested = world.images(test)
        found = self._scored(world.images(pool), pool, tested, test, draws=5)
        fresh = world.images(many)
        truths = {
            "images": self._scored(fresh, many, world.images(many), many, draws=40),
            "draws": self._scored(fresh, many, tested, test, draws=40),
        }
        for kind, interval in found.intervals["top1"].items():
            truth = truths[kind].metrics["top1"] if kind in truths else _NAN
            mean = found.metrics["top1"]
            yield Outcome(self.name, seed, "top1", kind, kind, mean, interval.half_width, truth)

    def _scored(self, *arrays: Features | Codes, draws: int) -> BudgetResult:
        result = evaluate_label_budget(
            *arrays, budgets=self.labels, methods="ncm", draws=draws, device="cpu"
        )
        return result.of(self.labels, "ncm")
