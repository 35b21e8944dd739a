"""Outcomes of worlds, in a CSV file that can be continued, and their table."""

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from scipy import stats

LOW, HIGH, CALLED = 0.92, 0.98, 0.08  # what a 99 % interval of the coverage must reach
WORLDS = 1000  # that a verdict takes
DIFFERENCE = "difference of 0"


@dataclass(frozen=True)
class Outcome:
    """One interval in one world.

    Attributes:
        cell: Name of the cell.
        seed: Number of the world.
        score: The metric.
        kind: What the interval is over.
        target: What the truth is about: fresh "images", "classes", …, or `DIFFERENCE`.
        estimate: The score.
        half_width: Half-width of the interval.
        truth: The true score; NaN where it is the mean score of all other worlds.
    """

    cell: str
    seed: int
    score: str
    kind: str
    target: str
    estimate: float
    half_width: float
    truth: float


def read(path: Path) -> list[Outcome]:
    """Reads the outcomes of a file, none if it does not exist; half a last line is left out."""
    if not path.exists():
        return []
    names = [each.name for each in fields(Outcome)]
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file, names) if None not in row.values()]
    return [
        Outcome(
            row["cell"],
            int(row["seed"]),
            row["score"],
            row["kind"],
            row["target"],
            *(float(row[name] or "nan") for name in names[5:]),
        )
        for row in rows
    ]


def append(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Adds the outcomes of one world, in one write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="") as file:
        csv.writer(file).writerows(map(astuple, outcomes))


def clopper_pearson(hits: int, number: int, level: float = 0.99) -> tuple[float, float]:
    """The exact interval of a share."""
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(stats.beta.ppf(tail, hits, number - hits + 1))
    high = 1.0 if hits == number else float(stats.beta.ppf(1 - tail, hits + 1, number - hits))
    return low, high


def table(outcomes: Iterable[Outcome]) -> Iterator[dict[str, object]]:
    """A row for each cell, score, kind and target, in the order of the file."""
    found: dict[tuple[str, str, str, str], dict[int, Outcome]] = defaultdict(dict)
    for each in outcomes:
        found[each.cell, each.score, each.kind, each.target][each.seed] = each
    for (cell, score, kind, target), worlds in found.items():
        known = [each for each in worlds.values() if not math.isnan(each.half_width)]
        if not known:
            continue
        hits, number = sum(_covered(known)), len(known)
        low, high = clopper_pearson(hits, number)
        yield {
            "cell": cell,
            "score": score,
            "interval over": kind,
            "truth about fresh": target,
            "worlds": number,
            "coverage, %": f"{100 * hits / number:.1f}",
            "99 %": f"{100 * low:.1f}–{100 * high:.1f}",
            "mean ±": f"{sum(each.half_width for each in known) / number:.2f}",
            "holds": _verdict(kind, target, low, high, number),
        }


def _covered(worlds: list[Outcome]) -> list[bool]:
    total = sum(each.estimate for each in worlds)
    others = max(1, len(worlds) - 1)
    truths = [
        (total - each.estimate) / others if math.isnan(each.truth) else each.truth
        for each in worlds
    ]
    pairs = zip(worlds, truths, strict=True)
    return [abs(each.estimate - truth) <= each.half_width for each, truth in pairs]


def _verdict(kind: str, target: str, low: float, high: float, worlds: int) -> str:
    """Whether an interval is what it says; empty for a target that it does not claim."""
    if target == DIFFERENCE:
        fails = high < 1 - CALLED
    elif kind == target:
        fails = high < LOW or low > HIGH
    else:
        return ""
    return "no" if fails else "yes" if worlds >= WORLDS else "so far"
