"""Records on disk: one JSON per record, with the score of every task, query or image beside it."""

import hashlib
import json
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError, InputError
from lowlabel.locks import LockError, file_lock
from lowlabel.paths import writable_dir, write_files
from lowlabel.reading import reading
from lowlabel.results.experiment import Experiment
from lowlabel.results.per_item import (
    REPEAT,
    PerItem,
    Replicates,
    encode_scores,
    hash_scores,
    joined,
    parted,
    read_scores,
    scores_path,
)
from lowlabel.results.record import Record
from lowlabel.results.record_file import parse_record

_SLUG_LENGTH = 100
_NONE: Replicates = {}
_AGREEMENT = 5e-3  # points: half of the last digit that tables show
_READER_S = 60  # at most for a process that saves to a busy disk


@dataclass(frozen=True)
class ScoredRecord:
    """A record with the arrays that stand beside it.

    Attributes:
        record: The record.
        per_item: By metric, the score of every task, query or image [n], in percent.
        replicates: By metric and kind of interval; see `lowlabel.intervals.Interval`.
    """

    record: Record
    per_item: PerItem
    replicates: Replicates = field(default_factory=dict)


def record_path(folder: Path, experiment: Experiment) -> Path:
    """Path of the record of an experiment: a readable name and 12 digits of its identity.

    Names of models that read the same there ("A b" and "a-b") are told apart by a hash.
    """
    e = experiment
    words = (e.suite, e.dataset.name, e.dataset.scheme, e.protocol.name, e.model.name)
    slug = re.sub(r"[^a-z0-9_]+", "-", " ".join([*words, e.method.spec]).lower())
    slug, digits = slug[:_SLUG_LENGTH].strip("-"), experiment.identity()[:12]
    path = folder / f"{slug}-{digits}.json"
    if _model_at(path) in (None, e.model.name):
        return path
    name = hashlib.sha256(e.model.name.encode()).hexdigest()[:8]
    return folder / f"{slug}-{name}-{digits}.json"


def save_record(
    record: Record, per_item: PerItem, folder: Path, replicates: Replicates = _NONE
) -> Path:
    """Writes the scores, then the record with its hashes, and reads them back.

    Both are on the disk before they replace older ones.

    Where processes save the same record at once, they do so one after the other: the last stays.

    Args:
        record: The record.
        per_item: By metric, the score in percent of every task, query or image [n]; NaN for one
            without a score. Without metrics that have no such scores (NMI).
        folder: Folder of the records, or a results folder; created if missing.
        replicates: By metric and kind of interval, what a paired difference needs.

    Returns:
        The path of the JSON.

    Raises:
        InputError: If the mean of the scores differs from the mean in the record.
        DataError: If a file cannot be written. Older files are then kept.
    """
    _check_agreement(record, per_item)
    path = record_path(writable_dir(records_folder(folder)), record.experiment)
    arrays = joined(per_item, replicates)
    sealed = record.sealed(hash_scores(arrays)).to_json()
    text = json.dumps(sealed, indent=2, ensure_ascii=False, allow_nan=False)
    contents: dict[Path, bytes | str] = {scores_path(path): encode_scores(arrays)}
    contents[path] = text + "\n"
    with _folder_lock(path.parent):
        write_files(contents)
        _load_pair(path)
    return path


def load_record(path: Path) -> Record:
    """Reads one record.

    Raises:
        DataError: If the file is missing, damaged, made by a newer version, or not a record, or
            if it or the scores beside it were changed.
    """
    return _load(path).record


def load_scores(path: Path) -> dict[str, NDArray[np.floating]]:
    """Scores of every task, query or image of the record at `path`, by metric, in percent.

    Raises:
        DataError: If the file of the scores is missing or damaged, or not that of the record.
    """
    return dict(load_scored_record(path).per_item)


def load_scored_record(path: Path) -> ScoredRecord:
    """As `load_record`, with the score of every task, query or image.

    Raises:
        DataError: As `load_record`, and if there are no scores beside the record.
    """
    scored = _load(path)
    if not scores_path(path).exists():
        read_scores(path)  # says what is missing
    return scored


def records_folder(path: Path) -> Path:
    """The folder of records, which may be inside a results folder."""
    return path / "records" if (path / "records").is_dir() else path


def save_changed(path: Path, record: Record) -> Record:
    """Saves `record` with the arrays of the record at `path`, in the same folder.

    The name of a model and the title of a dataset determine no score. A record under another name
    of the model stays.

    Args:
        path: A record of an experiment of the same identity, with its scores beside it.
        record: The record with what changed.

    Returns:
        `record`.
    """
    scored = load_scored_record(path)
    save_record(record, scored.per_item, path.parent, scored.replicates)
    return record


def delete_record(path: Path) -> None:
    """Deletes the record at `path` and its scores."""
    path.unlink()
    scores_path(path).unlink(missing_ok=True)


def _model_at(path: Path) -> str | None:
    """Name of the model of the record at `path`; None if there is none that can be read."""
    try:
        return load_record(path).experiment.model.name
    except DataError:
        return None


def _check_agreement(record: Record, per_item: PerItem) -> None:
    for metric, values in per_item.items():
        if metric not in record.scores or values.ndim != 1:
            raise InputError(
                f"scores of {metric!r} have shape {values.shape}; expected one dimension and a"
                f" metric of the record: {', '.join(record.scores)}"
            )
        mean = record.scores[metric].mean
        if mean is None:
            continue
        found = float(np.nanmean(values, dtype=np.float64)) if np.isfinite(values).any() else None
        if found is None or abs(found - mean) > _AGREEMENT:
            raise InputError(
                f"{metric}: the mean is {mean} in the record, {found} over {values.size} scores",
                "Give both in the same unit.",
            )


def _load(path: Path) -> ScoredRecord:
    """Reads a record and its scores, which are left out if there is no file of them.

    Between the replacements of the two files by a process that saves the record again they do not
    agree: they are then read once more under its lock.
    """
    try:
        return _load_pair(path)
    except _ForeignScoresError as error:
        try:
            with _folder_lock(path.parent, _READER_S):
                return _load_pair(path)
        except LockError:  # in a folder that is only read nobody saves
            raise error from None


def _folder_lock(folder: Path, most_s: float = -1) -> AbstractContextManager[None]:
    """Holds the lock of a folder's records: one process at a time replaces files there."""
    fix = "Give --output a folder on a disk whose files can be locked."
    return file_lock(folder / ".lock", fix, most_s=most_s)


def _load_pair(path: Path) -> ScoredRecord:
    record = _read(path)
    if not scores_path(path).exists():
        return ScoredRecord(record, {})
    arrays = read_scores(path)
    per_item, replicates = parted(arrays)
    reason = ""
    if not record.per_item_sha256:  # of a version without hashes
        try:
            _check_agreement(record, per_item)
        except InputError as error:
            reason = f": {error.message}"
    if reason or record.per_item_sha256 not in ("", hash_scores(arrays)):
        raise _ForeignScoresError(
            f"{scores_path(path)} does not have the scores of the record {path.name}: one of the "
            f"files was changed or exchanged{reason}",
            REPEAT,
        )
    return ScoredRecord(record, per_item, replicates)


class _ForeignScoresError(DataError):
    """The scores beside a record are not its own."""


def _read(path: Path) -> Record:
    with reading(path, f"cannot use the record {path}", REPEAT):
        text = path.read_text(encoding="utf-8")
    return parse_record(text, str(path))
