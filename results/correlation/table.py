"""Correlations as tables: one section per part of a dataset."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import pandas as pd

from lowlabel.escaping import csv_text
from lowlabel.results.correlation.pairs import Correlation, column_key, correlations
from lowlabel.results.correlation.ranks import RankCorrelation
from lowlabel.results.grid import protocol_facts
from lowlabel.results.labels import (
    CONTAMINATED,
    SUITES,
    distinctions,
    format_difference,
)
from lowlabel.results.leaderboard import Section, Table
from lowlabel.results.metrics import find_metric, metric_order
from lowlabel.results.record import Record
from lowlabel.specs import canonical_json, natural_order

_CAPTIONS = {"spearman": "Spearman's ρ (p)", "kendall": "Kendall's τ-b (p)"}


def label_free_sections(records: Iterable[Record]) -> list[Section]:
    """The correlations as tables; empty if no score has measures of three models."""
    groups: dict[str, list[Correlation]] = defaultdict(list)
    for each in correlations(records):
        d = each.records[0].experiment.dataset
        groups[f"{d.title} ({', '.join(dict.fromkeys((d.scheme, d.split)))})"].append(each)
    return [_section(title, group) for title, group in sorted(groups.items())]


def render_correlations_csv(records: Iterable[Record]) -> str:
    """Every correlation as CSV, in full precision."""
    return csv_text(pd.DataFrame(map(_csv_row, correlations(records))))


def _section(title: str, found: Sequence[Correlation]) -> Section:
    rows: dict[tuple[str, str], list[Correlation]] = defaultdict(list)
    for each in found:
        rows[column_key(each.records[0]), each.metric].append(each)
    lines = sorted(rows.values(), key=_order)
    labels = _labels(lines)
    measures = sorted({each.measure for each in found}, key=metric_order)
    tables = tuple(
        Table(caption, _frame(lines, labels, measures, statistic))
        for statistic, caption in _CAPTIONS.items()
    )
    return Section(title, tables, tuple(_notes(found, measures)))


def _frame(
    lines: Sequence[Sequence[Correlation]],
    labels: Sequence[str],
    measures: Sequence[str],
    statistic: str,
) -> pd.DataFrame:
    data: dict[str, list[str]] = {
        "Score": list(labels),
        "Method": [line[0].records[0].row_label for line in lines],
        "n": [_count(line) for line in lines],
    }
    for measure in measures:
        by_line = [{each.measure: each for each in line}.get(measure) for line in lines]
        data[find_metric(measure).label] = [
            "" if each is None else _cell(getattr(each, statistic)) for each in by_line
        ]
    return pd.DataFrame(data)


def _count(line: Sequence[Correlation]) -> str:
    """The number of models: "4", "3–4" where a measure is undefined for some, "4 †"."""
    counts = sorted({len(each.records) for each in line})
    mark = f" {CONTAMINATED}" if any(each.contaminated for each in line) else ""
    return "–".join(map(str, dict.fromkeys((counts[0], counts[-1])))) + mark


def _cell(found: RankCorrelation) -> str:
    """Such as "+0.80 (0.33)"."""
    if math.isnan(found.value):
        return "constant"
    p = "<0.001" if found.p < 0.001 else f"{found.p:.3f}"
    return f"{format_difference(found.value)} ({p})"


def _labels(lines: Sequence[Sequence[Correlation]]) -> list[str]:
    """Protocol and metric of each line; equal ones of one method are told apart by options."""
    heads = [(line[0].records[0], find_metric(line[0].metric)) for line in lines]
    shown = [
        f"{SUITES.get(r.experiment.suite, r.experiment.suite)}, {r.experiment.protocol.name}: "
        f"{metric.label}"
        for r, metric in heads
    ]
    names = [(text, r.row_label) for text, (r, _) in zip(shown, heads, strict=True)]
    repeated = Counter(names)
    facts = [protocol_facts(r) | dict(r.experiment.method.options) for r, _ in heads]
    added = distinctions(names, facts)
    return [
        text + (suffix if repeated[name] > 1 else "")
        for text, suffix, name in zip(shown, added, names, strict=True)
    ]


def _order(line: Sequence[Correlation]) -> tuple[object, ...]:
    e = line[0].records[0].experiment
    suites = list(SUITES)
    place = suites.index(e.suite) if e.suite in suites else len(suites)
    return (
        place,
        natural_order(e.protocol.name),
        metric_order(line[0].metric),
        natural_order(e.method.spec),
        canonical_json(e.method.options),
    )


def _notes(found: Sequence[Correlation], measures: Sequence[str]) -> Iterable[str]:
    models = {r.experiment.model.name for each in found for r in each.records}
    yield f"Models: {', '.join(sorted(models, key=natural_order))}."
    oriented = [find_metric(m) for m in measures]
    free = [metric.label for metric in oriented if metric.higher_is_better is None]
    text = "Positive: the better the measure, the better the score."
    if free:
        text += f" As they are, without a better or worse: {', '.join(free)}."
    yield text
    yield (
        "p: two-sided, over all orders of the models up to 8 of them, not corrected for the number "
        "of comparisons; models are few and no random sample."
    )
    if any(each.contaminated for each in found):
        reasons = dict.fromkeys(
            reason for each in found for r in each.records for reason in r.contamination
        )
        yield f"{CONTAMINATED} with contaminated models: {'; '.join(reasons)}"


def _csv_row(each: Correlation) -> dict[str, object]:
    e = each.records[0].experiment
    return {
        "suite": e.suite,
        "dataset": e.dataset.name,
        "title": e.dataset.title,
        "scheme": e.dataset.scheme,
        "split": e.dataset.split,
        "protocol": e.protocol.name,
        "protocol_options": canonical_json(e.protocol.options),
        "method": each.records[0].row_label,
        "method_options": canonical_json(e.method.options),
        "metric": each.metric,
        "measure": each.measure,
        "n": len(each.records),
        "contaminated": each.contaminated,
        "spearman": each.spearman.value,
        "spearman_p": each.spearman.p,
        "kendall": each.kendall.value,
        "kendall_p": each.kendall.p,
        "models": "; ".join(r.experiment.model.name for r in each.records),
    }
