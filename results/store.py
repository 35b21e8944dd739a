"""Records on disk: one JSON per record, with the score of every task, query or image beside it."""

import hashlib
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import DataError, InputError
from lowlabel.paths import atomic_write, writable_dir
from lowlabel.results.decode import NewerFormatError
from lowlabel.results.experiment import Experiment
from lowlabel.results.record import Record

PerItem = Mapping[str, NDArray[np.floating]]

_SLUG_LENGTH = 100
_AGREEMENT = 5e-3  # points: half of the last digit that tables show


@dataclass(frozen=True)
class ScoredRecord:
    """A record and, by metric, the score of every task, query or image [n], in percent."""

    record: Record
    per_item: PerItem


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


def save_record(record: Record, per_item: PerItem, folder: Path) -> Path:
    """Writes the scores, then the record, each atomically: a record always has its scores.

    Args:
        record: The record.
        per_item: By metric, the score in percent of every task, query or image [n]; NaN for one
            without a score. Without metrics that have no such scores (NMI).
        folder: Folder of the records, or a results folder; created if missing.

    Returns:
        The path of the JSON.

    Raises:
        InputError: If the mean of the scores differs from the mean in the record.
        DataError: If a file cannot be written. Older files are then kept.
    """
    _check_agreement(record, per_item)
    arrays: dict[str, Any] = dict(per_item)
    path = record_path(writable_dir(_records_folder(folder)), record.experiment)
    with atomic_write(_scores_path(path)) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    with atomic_write(path) as temporary:
        text = json.dumps(record.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def load_record(path: Path) -> Record:
    """Reads one record.

    Raises:
        DataError: If the file is missing, damaged, made by a newer version, or not a record.
    """
    try:
        return Record.from_json(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"cannot read the record {path}: {error.strerror or error}") from error
    except NewerFormatError as error:
        raise DataError(
            f"cannot use the record {path}: {error}",
            "Update lowlabel, or move the record to another folder.",
        ) from error
    except ValueError as error:
        raise DataError(
            f"cannot use the record {path}: {error}",
            "Delete it and repeat the `lowlabel run` that made it; cached features are kept.",
        ) from error


def load_scores(path: Path) -> dict[str, NDArray[np.floating]]:
    """Scores of every task, query or image of the record at `path`, by metric, in percent.

    Raises:
        DataError: If the file of the scores is missing or damaged.
    """
    scores = _scores_path(path)
    try:
        with np.load(scores, allow_pickle=False) as archive:
            return {metric: archive[metric] for metric in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"cannot read {scores}, the scores of the record {path.name}: {error}",
            "Delete the record and repeat the `lowlabel run` that made it; cached features are"
            " kept.",
        ) from error


def load_records(path: Path) -> list[Record]:
    """The records of a folder, sorted by file name, or the record of a file.

    The folder is one of records, or a results folder with them in `records`.

    Raises:
        DataError: If the path does not exist or a record cannot be used.
    """
    return [load_record(file) for file in _record_files(path)]


def load_scored(path: Path) -> list[ScoredRecord]:
    """As `load_records`, each record with the score of every task, query or image."""
    return [ScoredRecord(load_record(file), load_scores(file)) for file in _record_files(path)]


def find_records(folder: Path, identity: str) -> dict[Path, Record]:
    """The records of an experiment by path: one for each name that its model was given."""
    paths = sorted(_records_folder(folder).glob(f"*-{identity[:12]}.json"))
    found = {path: load_record(path) for path in paths}
    return {path: record for path, record in found.items() if record.identity() == identity}


def save_renamed(path: Path, experiment: Experiment) -> Record:
    """Saves the record at `path` under the names of an equal experiment, in the same folder.

    The name of a model and the title of a dataset determine no score. A record under another name
    of the model stays.

    Args:
        path: The record, with its scores beside it.
        experiment: An experiment of the same identity.
    """
    record = replace(load_record(path), experiment=experiment)
    save_record(record, load_scores(path), path.parent)
    return record


def delete_record(path: Path) -> None:
    """Deletes the record at `path` and its scores."""
    path.unlink()
    _scores_path(path).unlink(missing_ok=True)


def _record_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"no records at {path}", "Make some with `lowlabel run`.")
    return sorted(_records_folder(path).glob("*.json"))


def _records_folder(path: Path) -> Path:
    """The folder of records, which is inside a results folder."""
    return path / "records" if (path / "records").is_dir() else path


def _model_at(path: Path) -> str | None:
    """Name of the model of the record at `path`; None if there is none that can be read."""
    try:
        return load_record(path).experiment.model.name
    except DataError:
        return None


def _scores_path(record: Path) -> Path:
    return record.with_suffix(".npz")


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
