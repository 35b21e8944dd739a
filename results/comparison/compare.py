"""Paired comparison of records over the same tasks and splits, queries or images."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lowlabel.errors import InputError
from lowlabel.intervals import require_kind
from lowlabel.results.comparison.paired import paired_interval
from lowlabel.results.comparison.pairing import (
    Pair,
    common_items,
    exact_method,
    pair_records,
    reason_against,
    same_protocol,
)
from lowlabel.results.experiment import Experiment, ModelInfo
from lowlabel.results.grid import newest
from lowlabel.results.kinds import kind_of_items
from lowlabel.results.metrics import find_metric, is_known, metric_order
from lowlabel.results.store import ScoredRecord
from lowlabel.specs import canonical_json

LEVEL = 0.05
_SIDES = ("A", "B")
_COLUMNS = [
    "side_a", "side_b", "suite", "dataset", "protocol", "metric", "model_a", "method_a",
    "model_b", "method_b", "n", "mean_a", "mean_b", "difference", "interval", "ci_low", "ci_high",
    "p", "p_holm", "verdict", "reason", "note",
]  # fmt: skip


def compare(
    a: Sequence[ScoredRecord],
    b: Sequence[ScoredRecord],
    metrics: Sequence[str] | None = None,
    interval: str | None = None,
) -> pd.DataFrame:
    """Compares A with B by a paired test for each pair of records and each metric.

    `lowlabel.results.comparison.pairing.pair_records` pairs the records.
    `lowlabel.results.comparison.paired.paired_interval` gives the interval and p-value of each
    difference; p-values are corrected for all comparisons of the call by Holm's step-down method
    (Scandinavian Journal of Statistics, 1979).

    Of several runs of one experiment the latest counts.

    Args:
        a: Records of side A, from `load_scored`.
        b: Records of side B.
        metrics: Metrics to compare; by default those that `lowlabel.results.metrics` marks as
            compared. What cannot be compared has a row with the reason.
        interval: The kind of interval: "images", "classes", "tasks", "queries"; by default that of
            the suite. A `note` says where a side has none and it is over the items instead.

    Returns:
        One row per comparison: means, `difference` (A − B, in the unit of the metric) with its
        95 % interval `ci_low`…`ci_high` of the kind `interval`, `p`, `p_holm`, and `verdict`:
        "A better", "B better", "no difference shown" (p_holm ≥ 0.05) or "not comparable", with the
        `reason`.

    Raises:
        InputError: If a side is empty.
        UnknownNameError: If there is no such kind of interval.
    """
    if not a or not b:
        raise InputError(f"nothing to compare: A has {len(a)} records, B has {len(b)}")
    return compared_pairs({_SIDES: pair_records(latest(a), latest(b))}, metrics, interval)


def compare_tuned(
    records: Sequence[ScoredRecord],
    metrics: Sequence[str] | None = None,
    interval: str | None = None,
) -> pd.DataFrame:
    """Compares base models, as side A, with the models that were tuned from them.

    Args:
        records: Records of both.
        metrics: See `compare`.
        interval: See `compare`.

    Returns:
        See `compare`.

    Raises:
        InputError: If there is no tuned model among them.
    """
    pairs = _pair_with_base(latest(records))
    if not pairs:
        raise InputError(
            f"none of the {len(records)} records is of a tuned model",
            "Score one: lowlabel run --suite retrieval --model FOLDER",
        )
    return compared_pairs({_SIDES: pairs}, metrics, interval)


def _pair_with_base(records: Sequence[ScoredRecord]) -> list[Pair]:
    """Pairs the record of every tuned model with that of its base model, which is side A.

    Both have the same images, protocol, method and preprocessing; the base model has the pooling
    that the tuned one's head takes. A tuned model without such a record comes last.
    """
    frozen = {_as_base(s.record.experiment, s.record.experiment.model): s for s in records}
    tuned = [s for s in records if s.record.experiment.model.tuning]
    found = [(frozen.get(_as_base(s.record.experiment, _base(s))), s) for s in tuned]
    reason = "no record of its base model as it is frozen"
    pairs = [Pair(base, scored, "" if base else reason) for base, scored in found]
    return sorted(pairs, key=lambda pair: bool(pair.reason))


def _base(scored: ScoredRecord) -> ModelInfo:
    """The base model of a tuned one."""
    model = scored.record.experiment.model
    spec, weights, pooling = (
        str(model.tuning.get(name)) for name in ("base_model", "base_weights_sha256", "pooling")
    )
    return replace(model, spec=spec, weights_sha256=weights, pooling=pooling)


def _as_base(e: Experiment, model: ModelInfo) -> Hashable:
    facts = [model.spec, model.weights_sha256, model.pooling, model.transform, model.dtype]
    return same_protocol(e), exact_method(e), canonical_json(facts)


def compared_pairs(
    pairs: Mapping[tuple[str, str], Sequence[Pair]],
    metrics: Sequence[str] | None = None,
    interval: str | None = None,
) -> pd.DataFrame:
    """The comparisons of pairs of records, by the names of their two sides; see `compare`."""
    if interval is not None:
        require_kind(interval)
    rows = [
        {"side_a": a, "side_b": b, **row}
        for (a, b), those in pairs.items()
        for pair in those
        for row in _rows(pair, metrics, interval)
    ]
    tested = [row for row in rows if "p" in row]
    p_values = np.array([row["p"] for row in tested], dtype=np.float64)
    for row, p in zip(tested, holm(p_values), strict=True):
        row |= {"p_holm": float(p), "verdict": _verdict(row, p)}
    return pd.DataFrame(rows, columns=_COLUMNS)


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holm's adjusted p-values of m tests [m], in the order given."""
    order = np.argsort(p)
    scaled = p[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def latest(records: Sequence[ScoredRecord]) -> list[ScoredRecord]:
    """The records that `newest` chooses, with their scores."""
    chosen = {id(record) for record in newest(scored.record for scored in records)}
    return [scored for scored in records if id(scored.record) in chosen]


def _rows(pair: Pair, metrics: Sequence[str] | None, interval: str | None) -> list[dict[str, Any]]:
    a, b = pair.a, pair.b
    head = _head(a, b)
    if a is None or b is None:
        return [{**head, **_refused(pair.reason)}]
    if reason := reason_against(a, b):
        return [{**head, **_refused(reason)}]
    wanted = wanted_metrics(a, b) if metrics is None else metrics
    if not wanted:
        scored = sorted({*a.per_item, *b.per_item}, key=metric_order)
        reason = f"only metrics that are not compared by default: {', '.join(scored) or 'none'}"
        return [{**head, **_refused(reason)}]
    named = metrics is not None
    return [{**head, "metric": m, **compared(a, b, m, named, interval)} for m in wanted]


def _refused(reason: str) -> dict[str, Any]:
    return {"verdict": "not comparable", "reason": reason}


def wanted_metrics(a: ScoredRecord, b: ScoredRecord) -> Sequence[str]:
    """The metrics of either record that are compared, and those that are not known."""
    sides = (a, b)
    every = sorted(
        {name for each in sides for name in each.per_item if each.record.says_something(name)},
        key=metric_order,
    )
    return [name for name in every if find_metric(name).compared or not is_known(name)]


def compared(
    a: ScoredRecord, b: ScoredRecord, metric: str, named: bool, interval: str | None
) -> dict[str, Any]:
    """The test of a metric, or why there is none; one that is not known must be asked for."""
    without = [side for side, one in (("A", a), ("B", b)) if metric not in one.per_item]
    if without:
        has = "neither A nor B has" if len(without) == 2 else f"{without[0]} does not have"
        return _refused(f"{has} its score of every task, query or image")
    if not (named or is_known(metric)):
        return _refused("a metric that this version of lowlabel does not know")
    common = common_items(a, b, metric)
    if common is None:
        return _refused("other images were left out, and what was scored then does not pair")
    ours, theirs = common
    if len(ours) != len(a.per_item[metric]):  # replicates are of all items
        interval = kind_of_items(a.record.experiment.suite)
    if refusal := refusal_of(ours, theirs):
        return _refused(refusal)
    scored = np.isfinite(ours)
    ours, theirs = ours[scored].astype(np.float64), theirs[scored].astype(np.float64)
    return {
        "n": len(ours),
        "mean_a": float(ours.mean()),
        "mean_b": float(theirs.mean()),
        "difference": float(np.mean(ours - theirs)),
        **vars(paired_interval(a, b, metric, ours - theirs, interval)),
    }


def refusal_of(a: NDArray[np.floating], b: NDArray[np.floating]) -> str:
    """Why the scores of the items of two records do not pair; empty if they do."""
    if a.shape != b.shape or not np.array_equal(np.isnan(a), np.isnan(b)):
        return f"scored items differ: {np.isfinite(a).sum():,} and {np.isfinite(b).sum():,}"
    count = int(np.isfinite(a).sum())
    return f"{count} scored items; an interval needs 2" if count < 2 else ""


def _head(a: ScoredRecord | None, b: ScoredRecord | None) -> dict[str, str]:
    known = a or b
    assert known is not None
    e = known.record.experiment
    head = {"suite": e.suite, "dataset": e.dataset.title, "protocol": e.protocol.name}
    for side, scored in (("a", a), ("b", b)):
        if scored is not None:
            head[f"model_{side}"] = scored.record.experiment.model.name
            head[f"method_{side}"] = scored.record.method_label
    return head


def _verdict(row: Mapping[str, Any], p: float) -> str:
    if p >= LEVEL:
        return "no difference shown"
    return "A better" if find_metric(row["metric"]).merit(row["difference"]) > 0 else "B better"
