"""Scores beside published numbers."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from lowlabel.results.grid import Grid
from lowlabel.results.kinds import published_half_width
from lowlabel.results.labels import (
    BEYOND,
    TRANSDUCTIVE,
    UNSTATED_SPLIT,
    format_difference,
    format_score,
    protocol_label,
)
from lowlabel.results.metrics import find_metric
from lowlabel.results.record import Record
from lowlabel.results.reference.numbers import (
    TRAITS,
    UNKNOWN,
    Reference,
    find_reference,
    published_rows,
)
from lowlabel.specs import Option

_NOTHING: Mapping[str, str] = {}
_STATED = ("Pretraining", "Self-supervised", "Meta-learned")  # headings of `TRAITS`
_HERE, _NOT_RUN = "Here", "not run"
_LINE = ("Method", "Embedder", *_STATED, "Conditions", "Source")


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
    """The difference of a score from its published number; None if there is none.

    Its interval is over tasks or queries, as that of the published number.
    """
    score, reference = record.score(metric), find_reference(record, metric)
    if score.mean is None or reference is None:
        return None
    value = score.mean - reference.value
    half_width = published_half_width(record, metric)
    if half_width is None and reference.ci95 is None:
        return Difference(reference, value, None)
    combined = math.hypot(half_width or 0.0, reference.ci95 or 0.0)
    return Difference(reference, value, abs(value) > combined)


def differences(grid: Grid) -> dict[tuple[int, int], Difference]:
    """The differences of all scores that have a published counterpart, by (row, column)."""
    cells = sorted(cell for cell in grid.records if cell not in grid.outdated)
    found = {at: difference(grid.records[at], grid.columns[at[1]].metric) for at in cells}
    return {at: each for at, each in found.items() if each}


def beside_published(
    grid: Grid,
    found: Mapping[tuple[int, int], Difference],
    traits: Mapping[str, str] = _NOTHING,
) -> pd.DataFrame:
    """The scores that have a published counterpart, one per row; empty if none has.

    Args:
        grid: The scores.
        found: Their `differences`.
        traits: What published numbers must state to be shown.
    """
    lines = []
    for (row, column), each in found.items():
        if not each.reference.has(traits):
            continue
        record, metric = grid.records[row, column], grid.columns[column].metric
        score = record.score(metric)
        lines.append(
            {
                "Model": grid.rows[row].model,
                "Method": grid.rows[row].method,
                "Score": find_metric(metric).heading(
                    grid.columns[column].label, record.experiment.suite
                ),
                "Ours": format_score(score.mean, published_half_width(record, metric)),
                "Published": each.reference.printed,
                "Δ": str(each),
                "Source": each.reference.source,
            }
        )
    return pd.DataFrame(lines)


def published_for(grid: Grid, traits: Mapping[str, str] = _NOTHING) -> list[Reference]:
    """Every number with these traits published for the dataset, protocols and metrics of a grid."""
    experiment = next(iter(grid.records.values())).experiment
    dataset, _ = experiment.dataset.published_as
    shown = {(column.protocol, column.metric): None for column in grid.columns}
    return [
        reference
        for protocol in dict.fromkeys(protocol for protocol, _ in shown)
        for reference in published_rows(experiment.suite, dataset, protocol)
        if (protocol, reference.metric) in shown and reference.has(traits)
    ]


def published_table(
    references: Sequence[Reference], scheme: str, differences: Sequence[Difference] = ()
) -> pd.DataFrame:
    """Published numbers, one row per method and conditions; other divisions are marked.

    What no row states of `TRAITS` has no column, nor has the state of reproduction where nothing
    was run.

    Args:
        references: The numbers.
        scheme: The division of the scores beside them.
        differences: Those of scores that were made under the conditions of some numbers.
    """
    lines: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    states: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for reference in references:
        protocol = protocol_label(reference.protocol)
        heading = find_metric(reference.metric).heading(protocol, reference.suite)
        line = _line(reference, scheme)
        lines[line][heading] = reference.printed
        states[line][_state(reference, differences)] += 1
    headings = dict.fromkeys(heading for scores in lines.values() for heading in scores)
    table = pd.DataFrame(
        [
            [*line, _states(states[line]), *(scores.get(heading, "") for heading in headings)]
            for line, scores in lines.items()
        ],
        columns=[*_LINE, _HERE, *headings],
    )
    unstated = [name for name in _STATED if not any(table[name])]
    kept = [name for name in (*_LINE[:2], *_STATED) if name not in unstated]
    here = [] if set(table[_HERE]) == {_NOT_RUN} else [_HERE]
    return table[[*kept, *headings, *here, *_LINE[-2:]]]


def _state(reference: Reference, differences: Sequence[Difference]) -> str:
    """Whether a score under the conditions of a number lies within the combined interval."""
    found = [each for each in differences if each.reference is reference]
    if not found:
        return _NOT_RUN
    return "reproduced" if any(not each.beyond_ci for each in found) else "not reproduced"


def _states(counts: Counter[str]) -> str:
    """The state of several numbers: "reproduced", or "2 reproduced, 1 not run"."""
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def _line(reference: Reference, scheme: str) -> tuple[str, ...]:
    """The cells of `_LINE`."""
    method = reference.method + (f" {TRANSDUCTIVE}" if reference.transductive else "")
    mark = "" if scheme in reference.schemes else f" {UNSTATED_SPLIT}"
    stated = (getattr(reference, trait) for trait in TRAITS)
    conditions, source = _shown(reference.conditions), reference.source + mark
    return method, reference.embedder, *stated, conditions, source


def _shown(conditions: Mapping[str, Option] | None) -> str:
    """The conditions as a table has them: "resize=256, crop=224, scales=1/0.707/0.5"."""
    if conditions is None:
        return UNKNOWN
    values = {
        key: "/".join(f"{factor:.3g}" for factor in value) if isinstance(value, tuple) else value
        for key, value in conditions.items()
    }
    return ", ".join(f"{key}={value}" for key, value in values.items())
