"""The figures of a report as JSON: curves, heat maps and ranks, drawn in the page."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from lowlabel.results.figures.curves import panels
from lowlabel.results.grid import Column, Grid
from lowlabel.results.labels import CONTAMINATED, TRANSDUCTIVE
from lowlabel.results.leaderboard import Section
from lowlabel.results.metrics import find_metric
from lowlabel.results.ranks import critical_difference
from lowlabel.results.ranks.critical_difference import MIN_DATASETS

_SHOTS = re.compile(r"(?P<ways>\d+)-way (?P<x>\d+)-shot(?P<rest>.*)")
_RECALL = re.compile(r"recall@(?P<x>\d+)")
Figure = dict[str, Any]
Series = dict[str, list[tuple[float, float, float]]]


def figures(sections: Sequence[Section]) -> list[Figure]:
    """Every figure that the records have enough scores for.

    Curves are {kind: "lines", title, x, y, choices: {choice: {model: [[x, mean, ci95], …]}}}.
    """
    grids = [(section.title, section.grid) for section in sections if section.grid]
    return [
        *(figure for title, grid in grids for figure in _shots(title, grid)),
        *_label_budgets(grids),
        *(figure for title, grid in grids for figure in _recall(title, grid)),
        *(figure for title, grid in grids for figure in _heat_maps(title, grid)),
        *_ranks(grids),
    ]


def _shots(title: str, grid: Grid) -> Iterable[Figure]:
    """Accuracy against shots, one figure for each number of ways."""
    kinds: dict[str, dict[int, float]] = defaultdict(dict)
    for index, column in enumerate(grid.columns):
        if column.metric == "accuracy" and (found := _SHOTS.fullmatch(column.label)):
            kinds[f"{found['ways']}-way{found['rest']}"][index] = float(found["x"])
    for kind, columns in kinds.items():
        lines = _lines(grid, columns)
        yield from _figure(f"{title}, {kind}", "Labelled images per class", "Accuracy (%)", lines)


def _recall(title: str, grid: Grid) -> Iterable[Figure]:
    columns = {
        index: float(found["x"])
        for index, column in enumerate(grid.columns)
        if (found := _RECALL.fullmatch(column.metric))
    }
    yield from _figure(title, "K", "Recall@K (%)", _lines(grid, columns))


def _label_budgets(grids: Iterable[tuple[str, Grid]]) -> Iterable[Figure]:
    records = [record for _, grid in grids for record in grid.records.values()]
    for dataset, methods in panels(records).items():
        choices = {
            method: {curve.model: [(x, y, ci) for x, y, ci in curve.per_class] for curve in curves}
            for method, curves in methods.items()
        }
        yield from _figure(dataset, "Labels per class", "Top-1 (%)", choices)


def _lines(grid: Grid, columns: dict[int, float]) -> dict[str, Series]:
    """By method, the points of each model."""
    choices: dict[str, Series] = defaultdict(lambda: defaultdict(list))
    for at, row in enumerate(grid.rows):
        method = row.method + f" {TRANSDUCTIVE}" * row.transductive
        model = row.model + f" {CONTAMINATED}" * row.contaminated
        for index, x in sorted(columns.items(), key=lambda item: item[1]):
            score = grid.score(at, index)
            if score and score.mean is not None and (at, index) not in grid.outdated:
                choices[method][model].append((x, score.mean, score.ci95 or 0.0))
    return choices


def _figure(title: str, x: str, y: str, choices: dict[str, Series]) -> Iterable[Figure]:
    """A figure of curves; none if no curve has two points."""
    kept = {
        choice: {model: points for model, points in series.items() if points}
        for choice, series in choices.items()
        if any(len(points) > 1 for points in series.values())
    }
    if kept:
        yield {"kind": "lines", "title": title, "x": x, "y": y, "choices": kept}


def _heat_maps(title: str, grid: Grid) -> Iterable[Figure]:
    """Methods against models, a choice for each protocol; of two methods and models or more."""
    choices = {}
    for index, column in enumerate(grid.columns):
        cells: dict[str, dict[str, float]] = defaultdict(dict)
        for at, row in enumerate(grid.rows):
            score = grid.score(at, index)
            if score and score.mean is not None:
                cells[row.method][row.model] = score.mean
        if len(cells) > 1 and len(set().union(*cells.values())) > 1:
            choices[_heading(column)] = cells
    if choices:
        yield {"kind": "heat", "title": title, "choices": choices}


def _heading(column: Column) -> str:
    metric = find_metric(column.metric)
    return column.label if metric.headed_by_protocol else f"{metric.label}, {column.label}"


def _ranks(grids: Iterable[tuple[str, Grid]]) -> Iterable[Figure]:
    """Mean ranks of models on at least 8 datasets, by protocol, metric and method."""
    table: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for title, grid in grids:
        for (at, index), record in grid.records.items():
            metric = find_metric(grid.columns[index].metric)
            score = grid.score(at, index)
            if score and score.mean is not None and metric.compared and metric.ranks_models:
                kind = f"{grid.columns[index].protocol}, {metric.label}, {grid.rows[at].method}"
                table[kind][title][record.experiment.model.name] = metric.merit(score.mean)
    for kind, datasets in table.items():
        shared = set.intersection(*map(set, datasets.values()))
        if len(datasets) < MIN_DATASETS or len(shared) < 3:
            continue
        found = critical_difference(
            {name: {m: scores[m] for m in shared} for name, scores in datasets.items()}
        )
        yield {
            "kind": "ranks",
            "title": f"{kind}: mean ranks on {found.datasets} datasets",
            "ranks": found.ranks,
            "groups": found.groups,
            "distance": found.distance,
            "p": found.p,
        }
