"""All scores in long form: one row per score, with every field of its record."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from lowlabel.results.folder import open_records
from lowlabel.results.grid import newest
from lowlabel.results.leaderboard import Board, board_of, make_board
from lowlabel.results.outdated import made_before
from lowlabel.results.record import Record
from lowlabel.results.reference.published import Difference, difference
from lowlabel.specs import canonical_json

_GROWN = {
    "engine": "",
    "pillow": "",
    "method_version": 1,
    "chosen": "",
    "made_before": "",
    "interval": "",
}  # left out if all have this value


def scores_frame(records: Iterable[Record] | Board) -> pd.DataFrame:
    """One row per score: model, method, dataset, protocol, mean, interval, published, provenance.

    `best` says whether a score is bold in the tables: not told apart from the best of its column.
    Scores of incomplete runs and published numbers that do not apply are missing values.
    """
    board = board_of(records)
    best = _best(board)
    latest = newest(board.records)
    outdated = made_before(latest)
    rows = [
        _row(
            record,
            metric,
            outdated.get(record.identity(), "") if outdated else "",
            (id(record), metric) in best,
        )
        for record in latest
        for metric in record.scores
    ]
    frame = pd.DataFrame(rows)
    unused = [n for n, value in _GROWN.items() if n in frame and (frame[n] == value).all()]
    return frame.drop(columns=unused)


def load(path: str | Path) -> pd.DataFrame:
    """The scores of a results folder, of records or of an archive, as `scores_frame` gives them.

    Raises:
        DataError: If there are no such records, or one cannot be used.
    """
    found = open_records(Path(path))
    return scores_frame(make_board(found.records, scored=found.scored))


def _best(board: Board) -> set[tuple[int, str]]:
    """The scores that are bold, by the `id` of their record and their metric."""
    return {
        (id(section.grid.records[row, column]), section.grid.columns[column].metric)
        for section in board.sections
        if section.grid
        for row, column in section.best
    }


def _row(record: Record, metric: str, change: str, best: bool) -> dict[str, object]:
    e, score = record.experiment, record.score(metric)
    return {
        "suite": e.suite,
        "dataset": e.dataset.name,
        "title": e.dataset.title,
        "scheme": e.dataset.scheme,
        "split": e.dataset.split,
        "protocol": e.protocol.name,
        "model": e.model.name,
        "method": record.row_label,
        "transductive": e.method.transductive,
        "metric": metric,
        "mean": score.mean,
        "ci95": score.ci95,
        "best": best,
        **_published(None if change else difference(record, metric)),
        "complete": record.complete,
        "contamination": "; ".join(record.contamination),
        **_provenance(record),
        "method_version": e.method.version,
        "chosen": canonical_json(record.chosen) if record.chosen else "",
        "made_before": change,
        "interval": record.interval,
        **{
            f"ci95_{kind}": each.half_width
            for kind, each in record.intervals.get(metric, {}).items()
        },
    }


def _published(found: Difference | None) -> dict[str, object]:
    return {
        "published": found.reference.value if found else None,
        "published_ci95": found.reference.ci95 if found else None,
        "published_source": found.reference.source if found else None,
        "delta": round(found.value, 6) if found else None,
        "beyond_ci": found.beyond_ci if found else None,
    }


def _provenance(record: Record) -> dict[str, object]:
    e = record.experiment
    return {
        "ci95_definition": record.ci95_definition,
        "counts": canonical_json(record.counts),
        "protocol_version": e.protocol.version,
        "protocol_options": canonical_json(e.protocol.options),
        "method_options": canonical_json(e.method.options),
        "images": e.dataset.images,
        "classes": e.dataset.classes,
        "partial": "; ".join(str(part) for part in e.dataset.partial),
        "bad_images": e.dataset.bad_images,
        "manifest_sha256": e.dataset.manifest_sha256,
        "model_spec": e.model.spec,
        "weights_sha256": e.model.weights_sha256,
        "pooling": e.model.pooling,
        "resolution": e.model.resolution,
        "dtype": e.model.dtype,
        "transform": canonical_json(e.model.transform),
        "feature_keys": canonical_json(e.feature_keys),
        "task_hash": record.task_hash,
        **asdict(record.environment),
        "wall_s": record.wall_s,
        "peak_memory_mb": record.peak_memory_mb,
        "created": record.created,
        "identity": record.identity(),
    }
