"""Scores beside published numbers."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from lowlabel.results.grid import Grid
from lowlabel.results.labels import (
    BEYOND,
    TRANSDUCTIVE,
    UNSTATED_SPLIT,
    format_difference,
    format_score,
)
from lowlabel.results.metrics import find_metric
from lowlabel.results.record import Record
from lowlabel.results.reference.numbers import (
    UNKNOWN,
    Reference,
    find_reference,
    published_rows,
)
from lowlabel.specs import Option


@dataclass(frozen=True)
class Difference:
    """A score minus a published number, in the unit of the metric.

    Attributes:
        reference: The published number.
        value: The difference.
        beyond_ci: Whether the difference exceeds the combined interval √(a² + b²), where an
            interval that is not printed counts as 0; None if neither has an interval.
    """

    reference: Reference
    value: float
    beyond_ci: bool | None

    def __str__(self) -> str:
        return format_difference(self.value) + (f" {BEYOND}" if self.beyond_ci else "")


def difference(record: Record, metric: str) -> Difference | None:
    """The difference of a score from its published number; None if there is none."""
    score, reference = record.score(metric), find_reference(record, metric)
    if score.mean is None or reference is None:
        return None
    value = score.mean - reference.value
    if score.ci95 is None and reference.ci95 is None:
        return Difference(reference, value, None)
    combined = math.hypot(score.ci95 or 0.0, reference.ci95 or 0.0)
    return Difference(reference, value, abs(value) > combined)


def beside_published(grid: Grid) -> pd.DataFrame:
    """The scores that have a published counterpart, one per row; empty if none has."""
    lines = []
    for (row, column), record in sorted(grid.records.items()):
        if (row, column) in grid.outdated:
            continue
        metric = grid.columns[column].metric
        found, score = difference(record, metric), record.score(metric)
        if found is None:
            continue
        lines.append(
            {
                "Model": grid.rows[row].model,
                "Method": grid.rows[row].method,
                "Score": find_metric(metric).heading(grid.columns[column].label),
                "Ours": format_score(score.mean, score.ci95),
                "Published": found.reference.printed,
                "Δ": str(found),
                "Source": found.reference.source,
            }
        )
    return pd.DataFrame(lines)


def published_for(grid: Grid) -> list[Reference]:
    """Every number published for the dataset, protocols and metrics of the grid."""
    experiment = next(iter(grid.records.values())).experiment
    shown = {(column.protocol, column.metric): None for column in grid.columns}
    return [
        reference
        for protocol in dict.fromkeys(protocol for protocol, _ in shown)
        for reference in published_rows(experiment.suite, experiment.dataset.name, protocol)
        if (protocol, reference.metric) in shown
    ]


def published_table(references: Sequence[Reference], scheme: str) -> pd.DataFrame:
    """Published numbers, one row per method and conditions; other divisions are marked."""
    lines: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for reference in references:
        heading = find_metric(reference.metric).heading(reference.protocol)
        lines[_line(reference, scheme)][heading] = reference.printed
    headings = dict.fromkeys(heading for scores in lines.values() for heading in scores)
    rows = [
        [method, embedder, *(scores.get(heading, "") for heading in headings), conditions, source]
        for (method, embedder, conditions, source), scores in lines.items()
    ]
    return pd.DataFrame(rows, columns=["Method", "Embedder", *headings, "Conditions", "Source"])


def _line(reference: Reference, scheme: str) -> tuple[str, ...]:
    method = reference.method + (f" {TRANSDUCTIVE}" if reference.transductive else "")
    mark = "" if scheme in reference.schemes else f" {UNSTATED_SPLIT}"
    return method, reference.embedder, _shown(reference.conditions), reference.source + mark


def _shown(conditions: Mapping[str, Option] | None) -> str:
    """The conditions as a table has them: "resize=256, crop=224, scales=1/0.707/0.5"."""
    if conditions is None:
        return UNKNOWN
    values = {
        key: "/".join(f"{factor:.3g}" for factor in value) if isinstance(value, tuple) else value
        for key, value in conditions.items()
    }
    return ", ".join(f"{key}={value}" for key, value in values.items())
