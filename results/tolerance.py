"""How much worse than its baseline a score may be, and by which rule."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lowlabel.results.kinds import kind_of_items
from lowlabel.results.metrics import find_metric
from lowlabel.results.record import Record

if TYPE_CHECKING:
    from lowlabel.results.baseline import BaselineEntry

EQUAL = 1e-6  # in the unit of the metric, of a score that has to be equal
_FLOOR = 10  # times the last digit that tables show: 0.1 points


@dataclass(frozen=True)
class Rule:
    """What a score is held to.

    Attributes:
        tolerance: How much worse than the baseline it may be, in the unit of the metric.
        reason: Why: "deterministic, equal features".
        exact: Whether the score has to be equal.
    """

    tolerance: float
    reason: str
    exact: bool = False

    @property
    def what(self) -> str:
        """The rule in words."""
        return f"{'1e-6' if self.exact else 'the tolerance of the baseline'} ({self.reason})"

    def __str__(self) -> str:
        return f"{self.tolerance:.3g} ({self.reason})"


def tolerance_of(record: Record, metric: str) -> float:
    """The tolerance that a score gives itself, in the unit of the metric: the largest of three.

    - Ten times the last digit that tables show: 0.1 points.
    - One scored item of N, 100/N points: a query that flips on another processor moves Recall@1 by
      as much.
    - Where the record is not deterministic or the metric is no count, the half-width of the
      narrowest interval that the record has: over tasks in few-shot, over seeds for clusters.

    Args:
        record: A complete record.
        metric: One of its metrics.
    """
    row = find_metric(metric)
    items = record.counts.get(kind_of_items(record.experiment.suite), 0)
    kept = [each.half_width for each in record.intervals.get(metric, {}).values()]
    widths = [width for width in (*kept, record.score(metric).ci95) if width is not None]
    allowed = [_FLOOR * 10.0**-row.digits]
    if row.unit == "%" and items:
        allowed.append(100 / items)
    if widths and not (record.deterministic and row.counts):
        allowed.append(min(widths))
    return max(allowed)


def rule_of(entry: "BaselineEntry", record: Record) -> Rule:
    """The rule that a record is held to by an entry of a baseline.

    A deterministic score must be equal where the features are; any other may be worse by the
    tolerance of the entry. Records and baselines of versions without hashes of the features cannot
    say whether they are.
    """
    if not (record.features_sha256 and entry.features_sha256):
        lacking = "baseline" if record.features_sha256 else "record"
        return Rule(entry.tolerance, f"no hash of the features in the {lacking}")
    if not (entry.deterministic and record.deterministic):
        return Rule(entry.tolerance, "drawn at random, iterated, or no count")
    if entry.features_sha256 != record.features_sha256:
        return Rule(entry.tolerance, "deterministic, other features")
    return Rule(EQUAL, "deterministic, equal features", exact=True)
