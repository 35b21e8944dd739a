"""The tables of leaderboards as JSON: text of the cells, and the record behind each score."""

from collections.abc import Iterable
from typing import Any

from lowlabel.results.grid import Grid
from lowlabel.results.labels import SUITES
from lowlabel.results.leaderboard import Section, Table
from lowlabel.results.metrics import find_metric
from lowlabel.results.reference.published import differences
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
    names = {row: record.experiment.model.name for (row, _), record in grid.records.items()}
    stated = {
        names[row]: found.reference.pretraining
        for (row, _), found in differences(grid).items()
        if found.reference.pretraining
    }
    return [
        {
            "model": names[at],
            "method": row.method,
            "transductive": row.transductive,
            "contaminated": row.contaminated,
            "pretraining": stated.get(names[at], UNSTATED),  # as published numbers beside it say
        }
        for at, row in enumerate(grid.rows)
    ]


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
