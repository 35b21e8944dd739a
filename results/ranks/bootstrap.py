"""Mean ranks of models with bootstrap intervals, and groups that cannot be told apart."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lowlabel.results.comparison.compare import LEVEL, holm
from lowlabel.results.kinds import default_kind, kind_of_items
from lowlabel.results.labels import protocol_label
from lowlabel.results.metrics import find_metric
from lowlabel.results.ranks.covariance import covariance
from lowlabel.results.store import ScoredRecord

DRAWS = 10_000
_DRAWS_OF_A_PAIR = 400  # or more, so that Holm's correction leaves the smallest p-value at 0.5 %

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shared:
    """One metric of records of the same items, one of each side.

    Attributes:
        metric: The metric.
        members: The records, in the order of the sides.
    """

    metric: str
    members: tuple[ScoredRecord, ...]

    @property
    def dataset(self) -> str:
        """Name, division and images of the dataset."""
        dataset = self.members[0].record.experiment.dataset
        return f"{dataset.name}:{dataset.scheme} {dataset.split} {dataset.manifest_sha256}"

    @property
    def kind(self) -> str:
        """Protocol, metric and method: "5-way 1-shot, Accuracy, ncm"."""
        e, label = self.members[0].record.experiment, find_metric(self.metric).label
        methods = dict.fromkeys(each.record.row_label for each in self.members)
        return f"{protocol_label(e.protocol.name)}, {label}, {' / '.join(methods)}"

    def merits(self) -> list[float]:
        """The scores, such that larger is better."""
        means = (float(np.nanmean(each.per_item[self.metric])) for each in self.members)
        return [find_metric(self.metric).merit(mean) for mean in means]

    def unit(self, wanted: str | None) -> str:
        """What the bootstrap draws anew: the kind of interval, or the items where one has none."""
        suite = self.members[0].record.experiment.suite
        kind, items = wanted or default_kind(suite), kind_of_items(suite)
        found = [each.replicates.get(self.metric, {}).get(kind) for each in self.members]
        if kind == items or any(each is None for each in found):
            return items
        shapes = {each.shape[each.ndim - 1] for each in found if each is not None}
        return kind if len(shapes) == 1 else items


@dataclass(frozen=True)
class Ranks:
    """Mean ranks of the sides; 1 is the best.

    Attributes:
        ranks: Mean rank of each side, best first.
        intervals: Its 95 % bootstrap interval.
        groups: The largest sets of neighbours of which no two are told apart: their mean ranks
            differ with p ≥ 5 % after Holm's correction over all pairs.
        units: Number of scores by what the bootstrap drew anew.
    """

    ranks: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    groups: tuple[tuple[str, ...], ...]
    units: Mapping[str, int]


def rank(sides: Sequence[str], shared: Sequence[Shared], interval: str | None = None) -> Ranks:
    """Ranks sides by their mean rank over scores, with a parametric bootstrap.

    The scores of all sides are drawn together, from Student's t with their covariance: over images
    by half-sampling, over classes by the jackknife, over items by their sample covariance, as in
    the interval of a paired difference. Scores of one dataset that share their units (classes,
    splits, items) are drawn together, too.

    Args:
        sides: Names of the sides.
        shared: The scores that all have.
        interval: What is drawn anew; by default that of each suite.
    """
    from scipy.stats import rankdata

    random = np.random.default_rng(0)
    blocks = math.ceil(_DRAWS_OF_A_PAIR * math.comb(len(sides), 2) / DRAWS)
    means, drawn = np.zeros(len(sides)), np.zeros((blocks, DRAWS, len(sides)))
    units: dict[str, int] = defaultdict(int)
    for unit, cells in _together(shared, interval).items():
        units[unit[1]] += len(cells)
        merits = [np.array(cell.merits()) for cell in cells]
        means += sum(map(rankdata, np.negative(merits)))
        for block, noise in zip(drawn, _noise(cells, unit[1], random, blocks), strict=True):
            for place, cell in enumerate(cells):
                of_cell = noise[:, place * len(sides) : (place + 1) * len(sides)]
                values = merits[place] + find_metric(cell.metric).merit(1.0) * of_cell
                block += rankdata(-values, axis=1)
    means, drawn = means / len(shared), drawn.reshape(-1, len(sides)) / len(shared)
    low, high = np.quantile(drawn, (LEVEL / 2, 1 - LEVEL / 2), axis=0)
    order = [int(i) for i in np.argsort(means, kind="stable")]
    return Ranks(
        {sides[i]: float(means[i]) for i in order},
        {sides[i]: (float(low[i]), float(high[i])) for i in order},
        tuple(tuple(sides[i] for i in group) for group in _groups(order, drawn)),
        dict(units),
    )


def _together(
    shared: Sequence[Shared], interval: str | None
) -> dict[tuple[str, str, tuple[int, ...]], list[Shared]]:
    """Scores by dataset, unit and number of units."""
    found: dict[tuple[str, str, tuple[int, ...]], list[Shared]] = defaultdict(list)
    for each in shared:
        unit, first = each.unit(interval), each.members[0]
        kept = first.replicates.get(each.metric, {}).get(unit, first.per_item[each.metric])
        found[each.dataset, unit, (*kept.shape, len(first.per_item[each.metric]))].append(each)
    return found


def _noise(
    cells: Sequence[Shared], unit: str, random: np.random.Generator, blocks: int
) -> Iterator[Floats]:
    """Draws of the deviation of every score of every side, blocks of [draws, scores · sides]."""
    suite = cells[0].members[0].record.experiment.suite
    scores = [(cell.metric, member) for cell in cells for member in cell.members]
    matrix, degrees = covariance(scores, unit, unit == kind_of_items(suite))
    values, vectors = np.linalg.eigh(matrix)
    root = vectors * np.sqrt(values.clip(0))
    for _ in range(blocks):
        scale = np.sqrt(random.chisquare(degrees, (DRAWS, 1)) / degrees)
        yield random.standard_normal((DRAWS, len(matrix))) @ root.T / scale


def _groups(order: Sequence[int], drawn: Floats) -> list[Sequence[int]]:
    """The largest runs of neighbours in `order` of which no two are told apart."""
    pairs = list(combinations(range(len(order)), 2))
    p = np.array([_p(drawn[:, order[i]] - drawn[:, order[j]]) for i, j in pairs])
    apart = {pair for pair, each in zip(pairs, holm(p), strict=True) if each < LEVEL}
    groups: list[Sequence[int]] = []
    reached = -1
    for first in range(len(order)):
        last = first
        while last + 1 < len(order) and apart.isdisjoint(
            (i, last + 1) for i in range(first, last + 1)
        ):
            last += 1
        if last > reached:
            groups.append(order[first : last + 1])
            reached = last
    return groups


def _p(differences: Floats) -> float:
    """Two-sided p-value of draws of a difference, at least 2/(draws + 1)."""
    tail = min((differences <= 0).sum(), (differences >= 0).sum())
    return min(1.0, 2 * (int(tail) + 1) / (len(differences) + 1))
