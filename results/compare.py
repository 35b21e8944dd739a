"""Paired comparison of records over the same tasks, queries or images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from lowlabel.errors import InputError
from lowlabel.results.metrics import find_metric, metric_order
from lowlabel.results.pairing import Pair, pair_records, reason_against
from lowlabel.results.store import ScoredRecord

_LEVEL = 0.05
_NO_SPREAD = 1e-9
_COLUMNS = [
    "suite", "dataset", "protocol", "metric", "model_a", "method_a", "model_b", "method_b",
    "n", "mean_a", "mean_b", "difference", "ci_low", "ci_high", "p", "p_holm", "verdict", "reason",
]  # fmt: skip


def compare(
    a: Sequence[ScoredRecord], b: Sequence[ScoredRecord], metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Compares A with B by a paired test for each pair of records and each metric.

    `lowlabel.results.pairing.pair_records` pairs the records. The test is Student's paired t over
    tasks, queries or images; p-values are corrected for all comparisons of the call by Holm's
    step-down method (Scandinavian Journal of Statistics, 1979).

    Args:
        a: Records of side A, from `load_scored`.
        b: Records of side B.
        metrics: Metrics to compare if both records have them; by default those that
            `lowlabel.results.metrics` marks as compared.

    Returns:
        One row per comparison: means, `difference` (A − B, in the unit of the metric) with its
        95 % interval `ci_low`…`ci_high`, `p`, `p_holm`, and `verdict`: "A better", "B better",
        "no difference shown" (p_holm ≥ 0.05) or "not comparable", with the `reason`.

    Raises:
        InputError: If a side is empty.
    """
    if not a or not b:
        raise InputError(f"nothing to compare: A has {len(a)} records, B has {len(b)}")
    rows = [row for pair in pair_records(a, b) for row in _rows(pair, metrics)]
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


def _rows(pair: Pair, metrics: Sequence[str] | None) -> list[dict[str, Any]]:
    a, b = pair
    head = _head(a, b)
    reason = reason_against(a, b)
    if reason or a is None or b is None:
        return [{**head, "verdict": "not comparable", "reason": reason}]
    shared = _shared_metrics(a, b, metrics)
    if not shared:
        wanted = f" for {', '.join(metrics)}" if metrics else ""
        reason = f"no scores of tasks, queries or images in common{wanted}"
        return [{**head, "verdict": "not comparable", "reason": reason}]
    return [{**head, "metric": m, **_test(a.per_item[m], b.per_item[m])} for m in shared]


def _shared_metrics(
    a: ScoredRecord, b: ScoredRecord, metrics: Sequence[str] | None
) -> Sequence[str]:
    shared = [metric for metric in a.per_item if metric in b.per_item]
    if metrics is not None:
        return [metric for metric in metrics if metric in shared]
    return sorted((m for m in shared if find_metric(m).compared), key=metric_order)


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


def _test(a: NDArray[np.floating], b: NDArray[np.floating]) -> dict[str, Any]:
    if a.shape != b.shape or not np.array_equal(np.isnan(a), np.isnan(b)):
        counts = f"{np.isfinite(a).sum():,} and {np.isfinite(b).sum():,}"
        return {"verdict": "not comparable", "reason": f"scored items differ: {counts}"}
    scored = np.isfinite(a)
    a, b = a[scored].astype(np.float64), b[scored].astype(np.float64)
    if len(a) < 2:
        return {
            "verdict": "not comparable",
            "reason": f"{len(a)} scored items; an interval needs 2",
        }
    difference = float(np.mean(a - b))
    low, high, p = _paired_t(a - b)
    return {
        "n": len(a),
        "mean_a": float(a.mean()),
        "mean_b": float(b.mean()),
        "difference": difference,
        "ci_low": low,
        "ci_high": high,
        "p": p,
    }


def _paired_t(differences: NDArray[np.float64]) -> tuple[float, float, float]:
    """The 95 % interval of the mean difference and the two-sided p-value."""
    if np.ptp(differences) < _NO_SPREAD:  # the t statistic would be 0/0 or infinite
        mean = float(differences[0])
        return mean, mean, 1.0 if abs(mean) < _NO_SPREAD else 0.0
    test = stats.ttest_1samp(differences, 0.0)
    interval = test.confidence_interval(0.95)
    return float(interval.low), float(interval.high), float(test.pvalue)


def _verdict(row: Mapping[str, Any], p: float) -> str:
    if p >= _LEVEL:
        return "no difference shown"
    return "A better" if find_metric(row["metric"]).merit(row["difference"]) > 0 else "B better"
