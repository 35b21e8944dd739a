"""Comparisons of several models, folders or runs: every pair of them, and their ranks."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from lowlabel.errors import InputError
from lowlabel.results.comparison.compare import (
    compared_pairs,
    latest,
    refusal_of,
    wanted_metrics,
)
from lowlabel.results.comparison.pairing import common_items, pair_records, reason_against
from lowlabel.results.metrics import find_metric
from lowlabel.results.ranks import CriticalDifference, Ranks, Shared, critical_difference, rank
from lowlabel.results.ranks.critical_difference import MIN_DATASETS
from lowlabel.results.store import ScoredRecord

Sides = Mapping[str, Sequence[ScoredRecord]]


@dataclass(frozen=True)
class Comparison:
    """Several sides compared.

    Attributes:
        pairs: The comparison of every pair; see `compare`. Columns `side_a` and `side_b` name the
            sides; p-values are corrected for all pairs together.
        ranks: Ranks over the scores that all sides share; None if they share none.
        critical: Friedman's test by protocol, metric and method, where all sides share 8 datasets.
    """

    pairs: pd.DataFrame
    ranks: Ranks | None
    critical: Mapping[str, CriticalDifference]


def compare_several(sides: Sides, interval: str | None = None) -> Comparison:
    """Compares every two of several sides, and ranks them.

    Args:
        sides: Records by the name of their side, from `load_scored`; three or more.
        interval: See `compare`; ranks have this kind, too.

    Raises:
        InputError: If there are fewer than three sides, or one is empty.
        UnknownNameError: If there is no such kind of interval.
    """
    if len(sides) < 3 or not all(sides.values()):
        counts = ", ".join(f"{name} has {len(those)}" for name, those in sides.items())
        raise InputError(f"several sides with records are needed: {counts} records")
    newest = {name: latest(those) for name, those in sides.items()}
    pairs = {(a, b): pair_records(newest[a], newest[b]) for a, b in combinations(newest, 2)}
    shared = list(_shared(newest))
    return Comparison(
        compared_pairs(pairs, interval=interval),
        rank(list(newest), shared, interval) if shared else None,
        _critical(list(newest), shared),
    )


def _shared(sides: Sides) -> Iterator[Shared]:
    """The scores that all sides have on the same tasks, queries or images."""
    (_, first), *others = sides.items()
    partners = [
        {id(p.a): p.b for p in pair_records(first, those) if p.a and p.b} for _, those in others
    ]
    for scored in first:
        every = [scored, *(found.get(id(scored)) for found in partners)]
        members = [each for each in every if each is not None]
        if len(members) < len(every) or any(reason_against(scored, m) for m in members[1:]):
            continue
        for metric in wanted_metrics(scored, scored):
            if find_metric(metric).ranks_models and _pair(members, metric):
                yield Shared(metric, tuple(members))


def _pair(members: Sequence[ScoredRecord], metric: str) -> bool:
    """Whether all have the metric, with scores of the same items alone, which are two or more."""
    if not all(metric in each.per_item for each in members):
        return False
    found = [common_items(members[0], each, metric) for each in members[1:]]
    size = len(members[0].per_item[metric])
    return all(both and len(both[0]) == size and not refusal_of(*both) for both in found)


def _critical(sides: Sequence[str], shared: Sequence[Shared]) -> dict[str, CriticalDifference]:
    merits: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for each in shared:
        merits[each.kind][each.dataset] = dict(zip(sides, each.merits(), strict=True))
    return {
        kind: critical_difference(datasets)
        for kind, datasets in merits.items()
        if len(datasets) >= MIN_DATASETS
    }
