"""The tables of leaderboards as JSON: text of the cells, and the record behind each score."""

from collections.abc import Iterable, Sequence
from typing import Any

from lowlabel.results.grid import Grid
from lowlabel.results.labels import SUITES
from lowlabel.results.leaderboard import Section, Table
from lowlabel.results.metrics import find_metric
from lowlabel.results.record import Record
from lowlabel.results.reference.published import difference
from lowlabel.results.report.pools import Pool

UNSTATED = "not stated"


def tables(sections: Iterable[Section], pool: Pool) -> list[dict[str, Any]]:
    """The sections, in the order of a leaderboard."""
    return [_section(section, pool) for section in sections]


def _section(section: Section, pool: Pool) -> dict[str, Any]:
    grid = section.grid
    assert grid is not None
    experiment = next(iter(grid.records.values())).experiment
    return {
        "title": section.title,
        "suite": SUITES.get(experiment.suite, experiment.suite),
        "dataset": experiment.dataset.title,
        "notes": section.notes,
        "rows": _rows(grid),
        "tables": [_table(table, grid, pool) for table in section.tables],
    }


def _rows(grid: Grid) -> list[dict[str, Any]]:
    """What filters ask of each row."""
    records: list[list[Record]] = [[] for _ in grid.rows]
    for (row, _), record in grid.records.items():
        records[row].append(record)
    stated: dict[str, str] = {}
    for found in records:
        name = found[0].experiment.model.name
        if stated.get(name, UNSTATED) == UNSTATED:
            stated[name] = _pretraining(found)
    return [
        {
            "model": (name := found[0].experiment.model.name),
            "method": row.method,
            "transductive": row.transductive,
            "contaminated": row.contaminated,
            "pretraining": stated[name],
        }
        for row, found in zip(grid.rows, records, strict=True)
    ]


def _pretraining(records: Sequence[Record]) -> str:
    """The supervision of a model's pretraining, as the published numbers beside it state it."""
    for record in records:
        for metric in record.scores:
            found = difference(record, metric)
            if found and found.reference.pretraining:
                return found.reference.pretraining
    return UNSTATED


def _table(table: Table, grid: Grid, pool: Pool) -> dict[str, Any]:
    rows = [list(row) for row in table.frame.itertuples(index=False, name=None)]
    return {
        "caption": table.caption,
        "columns": list(table.frame.columns),
        "cells": rows,
        "bold": sorted(table.bold),
        "scores": {
            column: {
                "metric": grid.columns[shown].metric,
                "rising": find_metric(grid.columns[shown].metric).higher_is_better is not False,
                "records": [_place(grid, row, shown, pool) for row in range(len(rows))],
            }
            for column, shown in table.shows.items()
        },
    }


def _place(grid: Grid, row: int, column: int, pool: Pool) -> int | None:
    record = grid.records.get((row, column))
    return None if record is None else pool.place(record)
