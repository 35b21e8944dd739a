"""Reads files of ranked lists: .npz, .h5, CSV and parquet."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.tables.rows import Table, read_table
from lowlabel.errors import DataError
from lowlabel.features.array_file import array_names, read_arrays
from lowlabel.paths import file_sha256

RANKING, SCORES, QUERIES, GALLERY = "ranking", "scores", "queries", "gallery"
_QUERY, _IMAGE, _SCORE, _RANK = "query", "image", "score", "rank"
_ARRAYS = (".npz", ".h5", ".hdf5")
_TABLES = (".csv", ".tsv", ".parquet")
_HOW = (
    "Save ranking [Q, K] as rows of the gallery or names of its images, and optionally scores "
    "[Q, K], queries [Q] and gallery [G], with numpy.savez or h5py; or a table with the columns "
    "query, image and optionally score, a row for each listed image."
)


@dataclass(frozen=True, eq=False)
class RankingFile:
    """Ranked lists as a file has them.

    Attributes:
        path: The file.
        sha256: Hash of its content.
        ranking: Listed images, the nearest first: rows of the gallery, or names, [Q, K]; -1 or ""
            after the end of a list.
        scores: Score of each, float64 [Q, K]; None if there are none.
        queries: Row or name of each query, [Q]; None for all in the order of the dataset.
        gallery: Names of the images that integers in `ranking` number, [G]; None for the order of
            the dataset.
    """

    path: Path
    sha256: str
    ranking: NDArray[Any]
    scores: NDArray[np.float64] | None = None
    queries: NDArray[Any] | None = None
    gallery: NDArray[Any] | None = None


def read_ranking_file(path: Path) -> RankingFile:
    """Reads ranked lists.

    Raises:
        DataError: If the file is missing, damaged or of another kind, lacks the lists, or its
            arrays do not match.
    """
    if not path.is_file():
        raise DataError(f"there is no ranking {path}", "Check the path given with --ranking.")
    kind = path.suffix.lower()
    if kind in _TABLES:
        return _from_table(path, read_table(path, (_QUERY, _IMAGE), _COLUMNS))
    if kind not in _ARRAYS:
        raise DataError(f"{path} is none of {', '.join((*_ARRAYS, *_TABLES))}", _HOW)
    arrays = read_arrays(path, (RANKING, SCORES, QUERIES, GALLERY)).arrays
    if RANKING not in arrays:
        raise DataError(
            f"{path} has no array {RANKING}; it has: {', '.join(array_names(path)) or 'none'}", _HOW
        )
    ranking, scores = arrays[RANKING], arrays.get(SCORES)
    queries, gallery = arrays.get(QUERIES), arrays.get(GALLERY)
    if ranking.ndim != 2 or ranking.dtype.kind not in "iuUSO" or 0 in ranking.shape:
        raise _wrong(path, RANKING, ranking, "[queries, images] of integers or names")
    if scores is not None and (scores.shape != ranking.shape or scores.dtype.kind not in "fiu"):
        raise _wrong(path, SCORES, scores, f"numbers {ranking.shape}, as {RANKING}")
    if queries is not None and (queries.shape != (len(ranking),) or queries.dtype.kind == "f"):
        raise _wrong(path, QUERIES, queries, f"integers or names ({len(ranking)},)")
    if gallery is not None and (gallery.ndim != 1 or gallery.dtype.kind not in "USO"):
        raise _wrong(path, GALLERY, gallery, "names [G]")
    if gallery is not None and ranking.dtype.kind in "USO":
        raise DataError(
            f"{path} has names in {RANKING} and in {GALLERY}",
            f"Leave {GALLERY} out, or save integers that number it.",
        )
    values = None if scores is None else scores.astype(np.float64)
    return RankingFile(path, file_sha256(path), ranking, values, queries, gallery)


_COLUMNS = (_QUERY, _IMAGE, _SCORE, _RANK)


def _wrong(path: Path, name: str, array: NDArray[Any], expected: str) -> DataError:
    return DataError(f"{path}: {name} is {array.dtype} {array.shape}, not {expected}", _HOW)


def _from_table(path: Path, table: Table) -> RankingFile:
    """Lists from a row for each image; those of a query need not stand together."""
    column = {name: place for place, name in enumerate(table.columns)}
    lists: dict[str, list[str]] = {}
    scores: dict[str, list[float]] = {}
    ranks: dict[str, float] = {}
    for line, row in zip(table.lines, table.rows, strict=True):
        query, image = row[column[_QUERY]], row[column[_IMAGE]]
        where = f"{table.unit} {line} of {path}"
        if not query or not image:
            raise DataError(f"{where} has no {_IMAGE if query else _QUERY}", "Fill or remove it.")
        lists.setdefault(query, []).append(image)
        if _SCORE in column:
            scores.setdefault(query, []).append(_number(row[column[_SCORE]], _SCORE, where))
        if _RANK in column:
            rank = _number(row[column[_RANK]], _RANK, where)
            if not rank > ranks.get(query, -math.inf):  # nor NaN
                raise DataError(
                    f"{where} has the rank {row[column[_RANK]]} after a larger or an equal one of "
                    f"query {query}",
                    "Sort the rows of each query by their rank.",
                )
            ranks[query] = rank
    longest = max(map(len, lists.values()))
    ranking = np.full((len(lists), longest), "", dtype=object)
    values = np.zeros(ranking.shape) if scores else None
    for place, (query, images) in enumerate(lists.items()):
        ranking[place, : len(images)] = images
        if values is not None:
            values[place, : len(images)] = scores[query]
    queries = np.array([*lists], dtype=object)
    return RankingFile(path, file_sha256(path), ranking, values, queries)


def _number(text: str, name: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{where} has the {name} {text!r}, which is no number", "Fix it.") from None
