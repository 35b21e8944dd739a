"""Which scores of a column cannot be told apart from its best."""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from lowlabel.results.comparison.compare import LEVEL, compared, holm
from lowlabel.results.comparison.pairing import reason_against
from lowlabel.results.grid import Grid
from lowlabel.results.kinds import shown_kind
from lowlabel.results.record import Record
from lowlabel.results.store import ScoredRecord

FindScored = Callable[[Record], ScoredRecord | None]
_FAR = 3  # times both half-widths: a pair so far apart is told apart whatever it shares
_ALONE = "equal numbers alone, without an interval"


def unscored(record: Record) -> ScoredRecord | None:
    """Finds no scores of single tasks, queries or images."""
    return None


@dataclass(frozen=True)
class Best:
    """What is bold in a grid.

    Attributes:
        cells: (row, column) of the best score of each column, inductive and transductive apart,
            and of what cannot be told apart from it.
        ways: How scores near the best were held against it, with their number.
    """

    cells: frozenset[tuple[int, int]]
    ways: Counter[str]

    def notes(self) -> Iterable[str]:
        """By which interval scores are bold; nothing if only one score of a column may be."""
        if self.ways:
            ways = "; ".join(f"{way} ({count:,})" for way, count in sorted(self.ways.items()))
            yield (
                "Bold: the best of a column and what is not told apart from it (5 %, Holm over "
                f"its rows). Scores near the best were compared {ways}."
            )


def find_best(grid: Grid, scored: FindScored = unscored) -> Best:
    """Holds every score against the best of its column.

    Where both records have the scores of the same tasks and splits, queries or images, the
    difference is paired, as in `compare`, by the kind of interval that the best one shows.
    Elsewhere its interval is √(a² + b²) of the two in the table: wider for models that find the
    same images hard. A score without an interval is bold if it equals the best. A score is not
    bold if the p-value, after Holm's correction over the rows of the column, is below 5 %.

    Args:
        grid: The scores.
        scored: Gives the scores of single tasks, queries or images; by default none.
    """
    cells, ways = set[tuple[int, int]](), Counter[str]()
    for column, at in enumerate(grid.columns):
        for first, *others in grid.contenders(column):
            against = _Against(grid.records[first, column], at.metric, scored)
            found = [against.p(grid.records[row, column]) for row in others]
            adjusted = holm(np.array([p for _, p in found], dtype=np.float64))
            tied = [row for row, p in zip(others, adjusted, strict=True) if p >= LEVEL]
            cells |= {(row, column) for row in (first, *tied)}
            ways.update(way for way, _ in found if way)
    return Best(frozenset(cells), ways)


class _Against:
    """Comparisons with the best score of a column."""

    def __init__(self, best: Record, metric: str, scored: FindScored) -> None:
        self._best, self._metric, self._scored = best, metric, scored
        self._mean, self._width = _shown(best, metric)

    def p(self, record: Record) -> tuple[str, float]:
        """How a record is compared, empty if it is far from the best, and the p-value."""
        mean, width = _shown(record, self._metric)
        gap = abs(mean - self._mean)
        widths = None if width is None or self._width is None else (width, self._width)
        if widths and gap > _FAR * sum(widths):
            return "", 0.0
        ours, theirs = self._scored(self._best), self._scored(record)
        if ours and theirs and not reason_against(ours, theirs):
            pair = compared(ours, theirs, self._metric, True, shown_kind(self._best))
            if "p" in pair:
                return f"paired over {pair['interval']}", float(pair["p"])
        if widths is None:
            return _ALONE, float(gap == 0)
        kinds = sorted({_kind(each, self._metric) for each in (self._best, record)})
        return f"unpaired over {' and '.join(kinds)}", _unpaired(gap, math.hypot(*widths))


def _shown(record: Record, metric: str) -> tuple[float, float | None]:
    score = record.score(metric)
    assert score.mean is not None
    return score.mean, score.ci95


def _kind(record: Record, metric: str) -> str:
    """The kind of the interval that a table shows of a score."""
    kinds = record.intervals.get(metric, {})
    return next(iter(kinds)) if len(kinds) == 1 else shown_kind(record)


def _unpaired(gap: float, half_width: float) -> float:
    """The p-value of a difference with a 95 % interval."""
    return math.erfc(1.96 * gap / half_width / math.sqrt(2)) if half_width else float(gap == 0)
