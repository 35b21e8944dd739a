"""Records arranged as a grid: model × method down, protocol × metric across."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from lowlabel.results.labels import distinctions, protocol_label
from lowlabel.results.metrics import find_metric, metric_order
from lowlabel.results.record import Record, Score
from lowlabel.specs import canonical_json, natural_order


@dataclass(frozen=True)
class Row:
    """One model with one method."""

    model: str
    method: str
    transductive: bool
    contaminated: bool


@dataclass(frozen=True)
class Column:
    """One metric under one protocol; `label` is the protocol's name in tables, made unique."""

    label: str
    protocol: str
    metric: str


@dataclass(frozen=True)
class Grid:
    """The scores of one dataset.

    Attributes:
        rows: Best model first; within a model inductive methods first, then by score.
        columns: By protocol, then by metric.
        records: Record by (row, column); missing if never run.
        outdated: (row, column) of records made before a change; see `outdated.made_before`.
        hidden: Records of cells that hold a later one.
    """

    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    records: dict[tuple[int, int], Record]
    outdated: frozenset[tuple[int, int]] = frozenset()
    hidden: tuple[Record, ...] = ()

    def score(self, row: int, column: int) -> Score | None:
        """The score of a cell; empty if incomplete, None if never run."""
        record = self.records.get((row, column))
        return record.score(self.columns[column].metric) if record else None

    def contenders(self, column: int) -> list[list[int]]:
        """The inductive rows that may be the best, best first, then the transductive ones.

        Contaminated rows and outdated scores do not count. Empty if the metric has no direction or
        does not rank models.
        """
        metric = find_metric(self.columns[column].metric)
        if metric.higher_is_better is None or not metric.ranks_models:
            return []
        merits: dict[bool, dict[int, float]] = {False: {}, True: {}}
        for row, facts in enumerate(self.rows):
            score = self.score(row, column)
            counts = not (facts.contaminated or (row, column) in self.outdated)
            if counts and score and score.mean is not None:
                merits[facts.transductive][row] = metric.merit(score.mean)
        ranked = (sorted(found, key=lambda row: -found[row]) for found in merits.values())
        return [rows for rows in ranked if rows]


def newest(records: Iterable[Record]) -> list[Record]:
    """The latest record of each experiment, for each name that its model was given."""
    latest: dict[tuple[str, str], Record] = {}
    for record in sorted(records, key=lambda record: record.created):
        latest[record.identity(), record.experiment.model.name] = record
    return list(latest.values())


def build_grid(records: Sequence[Record], outdated: Collection[str] = ()) -> Grid:
    """Arranges records of one suite and dataset, no experiment twice.

    Two records share a row only if model, weights, preprocessing and method agree in everything,
    and a column only if the protocol does; equal names are told apart by what differs.

    Args:
        records: The records.
        outdated: Identities of records made before a change.
    """
    keys = {id(record): (_row_key(record), _protocol_key(record)) for record in records}
    rows = {keys[id(record)][0]: record for record in records}
    protocols = {keys[id(record)][1]: record for record in records}
    columns = dict.fromkeys((keys[id(r)][1], metric) for r in records for metric in r.shown)
    row_at = {key: index for index, key in enumerate(rows)}
    column_at = {key: index for index, key in enumerate(columns)}
    cells: dict[tuple[int, int], Record] = {}
    hidden: dict[str, Record] = {}
    for record in sorted(records, key=lambda record: record.created):
        row, protocol = keys[id(record)]
        for metric in record.shown:
            at = row_at[row], column_at[protocol, metric]
            if at in cells:
                hidden[cells[at].identity()] = cells[at]
            cells[at] = record
    contaminated = {keys[id(record)][0] for record in records if record.contamination}
    labels = _protocol_labels(protocols)
    return _sorted(
        Grid(
            _rows(rows, contaminated),
            tuple(Column(*labels[key], metric) for key, metric in columns),
            cells,
            frozenset(at for at, r in cells.items() if outdated and r.identity() in outdated),
            tuple(hidden.values()),
        )
    )


def protocol_facts(record: Record) -> dict[str, object]:
    """Version and options: what differs between protocols of one name."""
    protocol = record.experiment.protocol
    return {"version": protocol.version, **protocol.options}


def _protocol_labels(protocols: Mapping[str, Record]) -> dict[str, tuple[str, str]]:
    names = [record.experiment.protocol.name for record in protocols.values()]
    added = distinctions(names, [protocol_facts(record) for record in protocols.values()])
    pairs = zip(names, added, strict=True)
    return {
        key: (protocol_label(name) + suffix, name)
        for key, (name, suffix) in zip(protocols, pairs, strict=True)
    }


def _rows(records: Mapping[str, Record], contaminated: set[str]) -> tuple[Row, ...]:
    names = [(record.experiment.model.name, record.row_label) for record in records.values()]
    added = distinctions(names, [row_facts(record) for record in records.values()])
    return tuple(
        Row(model + suffix, method, record.experiment.method.transductive, key in contaminated)
        for (key, record), (model, method), suffix in zip(
            records.items(), names, added, strict=True
        )
    )


def _sorted(grid: Grid) -> Grid:
    columns = sorted(
        range(len(grid.columns)),
        key=lambda c: (
            natural_order(grid.columns[c].protocol),
            natural_order(grid.columns[c].label),
            metric_order(grid.columns[c].metric),
        ),
    )

    def value(row: int) -> float:
        """The merit of the first score that the row has."""
        for column in columns:
            score = grid.score(row, column)
            if score and score.mean is not None:
                return find_metric(grid.columns[column].metric).merit(score.mean)
        return -math.inf

    best_of_model: dict[str, float] = {}
    for row, facts in enumerate(grid.rows):
        best_of_model[facts.model] = max(value(row), best_of_model.get(facts.model, -math.inf))

    def order(row: int) -> tuple[float, str, bool, float, str]:
        facts = grid.rows[row]
        best = -best_of_model[facts.model]
        return (best, facts.model, facts.transductive, -value(row), facts.method)

    rows = sorted(range(len(grid.rows)), key=order)
    row_at, column_at = ({old: new for new, old in enumerate(those)} for those in (rows, columns))
    return Grid(
        tuple(grid.rows[row] for row in rows),
        tuple(grid.columns[column] for column in columns),
        {
            (row_at[row], column_at[column]): record
            for (row, column), record in grid.records.items()
        },
        frozenset((row_at[row], column_at[column]) for row, column in grid.outdated),
        grid.hidden,
    )


def row_facts(record: Record) -> dict[str, object]:
    """What differs between models and methods of one name."""
    e = record.experiment
    options = dict(e.method.options)
    if e.method.is_tuned:
        del options["tuned"]  # the row says so, and the column what it depends on
    facts: dict[str, object] = asdict(e.model)
    del facts["name"], facts["notes"], facts["tuning"], facts["identities"]
    facts |= {"method_version": e.method.version, "features": e.feature_keys}
    facts |= {f"method.{k}" if k in facts else k: value for k, value in options.items()}
    return {k: canonical_json(v) if isinstance(v, dict) else v for k, v in facts.items()}


def _row_key(record: Record) -> str:
    e = record.experiment
    facts = {**row_facts(record), "name": e.model.name, "method": record.row_label}
    return canonical_json([facts, e.method.transductive])


def _protocol_key(record: Record) -> str:
    return canonical_json([record.experiment.protocol.name, protocol_facts(record)])
