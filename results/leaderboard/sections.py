"""Tables from records: one section per dataset, and per protocol except in few-shot."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from lowlabel.errors import InputError, number_of
from lowlabel.results.grid import Grid, build_grid, newest, protocol_facts
from lowlabel.results.labels import (
    BEFORE,
    CONTAMINATED,
    SUITES,
    TRANSDUCTIVE,
    dataset_names,
    distinctions,
    format_score,
    mark_notes,
    suite_order,
)
from lowlabel.results.leaderboard.best import Best, FindScored, find_best, unscored
from lowlabel.results.leaderboard.interval_notes import interval_notes
from lowlabel.results.leaderboard.notes import PROTOCOLS_AS_COLUMNS, section_notes
from lowlabel.results.metrics import TABLE_PER_METRIC, common_unit, find_metric
from lowlabel.results.outdated import made_before
from lowlabel.results.record import Record
from lowlabel.results.reference.published import (
    beside_published,
    differences,
    published_for,
    published_table,
)
from lowlabel.specs import canonical_json

_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Table:
    """A table of text cells.

    Attributes:
        caption: Caption with the unit.
        frame: The cells; "" for a score that was never run.
        bold: (row, column) of the best cells and of those that are not told apart from them.
        shows: Column of the section's grid, by the column of scores that shows it.
    """

    caption: str
    frame: pd.DataFrame
    bold: frozenset[tuple[int, int]] = frozenset()
    shows: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """The tables of one dataset, with notes for the reader.

    Attributes:
        title: Suite, dataset and division.
        tables: The tables.
        notes: What was scored, and what the marks mean.
        grid: The scores that the tables show; None if they show something else.
        best: (row, column) of the grid's scores that are bold.
    """

    title: str
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    grid: Grid | None = None
    best: frozenset[tuple[int, int]] = frozenset()


def leaderboard(
    records: Iterable[Record],
    published: Mapping[str, str] = _NOTHING,
    scored: FindScored = unscored,
) -> list[Section]:
    """Arranges the latest record of each experiment as tables.

    Datasets, divisions, protocols and their versions never share a column. A score of an
    incomplete run is shown as "–" and is never bold.

    Args:
        records: The records.
        published: What the published numbers must state to be shown, by column:
            {"self_supervised": "yes"}. All by default.
        scored: Gives the scores of single tasks, queries or images of a record, by which bold is
            paired; see `find_best`. By default there are none.

    Raises:
        InputError: If there are no records.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    latest = newest(records)
    outdated = made_before(latest)
    for record in latest:
        groups[_section_key(record)].append(record)
    if not groups:
        raise InputError("no records to make a table of", "Make some with `lowlabel run`.")
    heads = [members[-1] for members in groups.values()]
    datasets = dataset_names([head.experiment.dataset for head in heads])
    names = [_title(head, name) for head, name in zip(heads, datasets, strict=True)]
    added = distinctions(names, [_section_facts(head) for head in heads])
    titles = (name + suffix for name, suffix in zip(names, added, strict=True))
    sections = (
        _section(title, group, outdated, published, scored)
        for title, group in zip(titles, groups.values(), strict=True)
    )
    return sorted(sections, key=lambda section: (suite_order(section.title), section.title))


def _section(
    title: str,
    records: Sequence[Record],
    outdated: Mapping[str, str],
    traits: Mapping[str, str],
    scored: FindScored,
) -> Section:
    grid = build_grid(records, outdated)
    best = find_best(grid, scored)
    by_metric = records[0].experiment.suite in TABLE_PER_METRIC
    captions = dict.fromkeys(_caption(column.metric, by_metric) for column in grid.columns)
    found, references = differences(grid), published_for(grid, traits)
    beside = beside_published(grid, found, traits)
    tables = [_score_table(grid, best, caption, by_metric) for caption in captions]
    published = {reference.metric for reference in references}
    if not beside.empty:
        tables.append(Table(common_unit("Beside the published numbers", published), beside))
    if references:
        _, scheme = records[0].experiment.dataset.published_as
        table = published_table(references, scheme, [*found.values()])
        tables.append(Table(common_unit("Published", published), table))
    made = (outdated.get(record.identity()) for record in records if outdated)
    changes = dict.fromkeys(change for change in made if change)
    notes = [*section_notes(records), *interval_notes(records, not beside.empty)]
    notes += best.notes()
    if grid.hidden:
        notes.append(
            f"Not shown: {number_of(len(grid.hidden), 'records')} of cells that hold a later one; "
            "the CSV has them all."
        )
    notes += [f"{BEFORE} made before: {change}; never bold, no Δ." for change in changes]
    notes += mark_notes("\n".join(table.frame.to_csv() for table in tables))
    notes += dict.fromkeys(f"{r.method}: {r.note}." for r in references if r.note)
    return Section(title, tuple(tables), tuple(notes), grid, best.cells)


def _caption(name: str, by_metric: bool) -> str:
    """The caption of the table that shows a metric: its own, or its family's."""
    metric = find_metric(name)
    return replace(metric, family=metric.label).caption if by_metric else metric.caption


def _score_table(grid: Grid, best: Best, caption: str, by_metric: bool) -> Table:
    columns = _columns(grid, caption, by_metric)
    data: dict[str, list[str]] = {
        "Model": [row.model + f" {CONTAMINATED}" * row.contaminated for row in grid.rows],
        "Method": [row.method + f" {TRANSDUCTIVE}" * row.transductive for row in grid.rows],
    }
    shows = dict[int, int]()
    for column, heading in columns.items():
        shows[len(data)] = column
        data[heading] = [_cell(grid, row, column) for row in range(len(grid.rows))]
    places = {column: place for place, column in shows.items()}
    bold = frozenset((row, places[column]) for row, column in best.cells if column in places)
    return Table(caption, pd.DataFrame(data), bold, shows)


def _cell(grid: Grid, row: int, column: int) -> str:
    score = grid.score(row, column)
    if score is None:
        return ""
    mark = f" {BEFORE}" if (row, column) in grid.outdated else ""
    digits = find_metric(grid.columns[column].metric).digits
    return format_score(score.mean, score.ci95, digits) + mark


def _columns(grid: Grid, caption: str, by_metric: bool) -> dict[int, str]:
    """The columns of a table with their headings, which are unique."""
    present = {column.metric for column in grid.columns}
    headings = {
        index: column.label if by_metric else find_metric(column.metric).heading(column.label)
        for index, column in enumerate(grid.columns)
        if _caption(column.metric, by_metric) == caption
        and find_metric(column.metric).same_as not in present
    }
    counts = Counter(headings.values())
    return {
        index: heading if counts[heading] == 1 else f"{grid.columns[index].label} {heading}"
        for index, heading in headings.items()
    }


def _title(record: Record, dataset: str) -> str:
    e = record.experiment
    shown = [e.dataset.scheme, e.dataset.split]
    if e.suite not in PROTOCOLS_AS_COLUMNS:
        shown.append(e.protocol.name)
    kind = SUITES.get(e.suite, e.suite)
    return f"{kind}: {dataset} ({', '.join(dict.fromkeys(shown))})"


def _section_facts(record: Record) -> dict[str, object]:
    e, dataset = record.experiment, record.experiment.dataset
    facts: dict[str, object] = {
        "suite": e.suite,
        "dataset": dataset.name,
        "scheme": dataset.scheme,
        "split": dataset.split,
        "manifest": dataset.manifest_sha256,
        "bad_images": dataset.bad_images,
        **({"without": dataset.without.flags} if dataset.without else {}),
        **({"declared": dataset.declared} if dataset.declared else {}),
    }
    if e.suite in PROTOCOLS_AS_COLUMNS:
        return facts
    return {**facts, "protocol": e.protocol.name, **protocol_facts(record)}


def _section_key(record: Record) -> str:
    return canonical_json(_section_facts(record))
