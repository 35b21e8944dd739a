"""Cells of retrieval: the truth is the expected score of other classes, by the same numbers."""

from collections.abc import Iterator
from dataclasses import dataclass

from lowlabel.benchmarks.coverage.outcomes import DIFFERENCE, Outcome
from lowlabel.benchmarks.coverage.worlds import World, equal, unequal
from lowlabel.intervals import jackknife, normal
from lowlabel.retrieval import evaluate_retrieval

_SCORES = ("recall@1", "recall@4", "map@r", "r_precision", "mrr")
_NAN = float("nan")


@dataclass(frozen=True)
class RetrievalCell:
    """Leave-one-out retrieval.

    Attributes:
        classes: Number of classes.
        images: Images of each, on average.
        same_size: Whether classes have one size.
        noise: Width of the classes; 1 gives a Recall@1 between 55 and 75 %.
    """

    classes: int
    images: int
    same_size: bool = True
    noise: float = 1.0

    @property
    def name(self) -> str:
        """Such as "retrieval 30 × 12"."""
        sizes = "" if self.same_size else ", unequal"
        return f"retrieval {self.classes} × {self.images}{sizes}"

    def outcomes(self, seed: int) -> Iterator[Outcome]:
        """Scores one world with two models of equal expectation."""
        world = World.of((seed, self.classes, self.images), self.classes, self.noise)
        labels = (equal if self.same_size else unequal)(self.classes, self.images)
        hardness = world.hardness(len(labels))
        one, other = (
            evaluate_retrieval(each.images(labels, hardness), labels, ks=(1, 4), device="cpu")
            for each in (world, world.another())
        )
        for name in _SCORES:
            for kind in ("classes", "queries"):
                interval = one.intervals[name][kind]
                mean = one.metrics[name]
                yield Outcome(
                    self.name, seed, name, kind, "classes", mean, interval.half_width, _NAN
                )
            pair = [each.intervals[name]["classes"].replicates for each in (one, other)]
            assert pair[0] is not None and pair[1] is not None
            gap = one.metrics[name] - other.metrics[name]
            over_queries = normal(one.per_query[name] - other.per_query[name])
            for kind, width in (
                ("classes", jackknife(pair[0] - pair[1])),
                ("queries", over_queries),
            ):
                yield Outcome(self.name, seed, name, kind, DIFFERENCE, gap, width, 0.0)
