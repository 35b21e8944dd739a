"""From a file of ranked lists and a dataset to an `EmbeddedDataset` without embeddings."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets import OpenDataset
from lowlabel.datasets.io.lists import first_few
from lowlabel.errors import DataError
from lowlabel.features.embed import numbered_dataset
from lowlabel.features.embedded import EmbeddedDataset, Embedder
from lowlabel.features.rankings.file import GALLERY, QUERIES, RANKING, RankingFile
from lowlabel.features.rankings.names import ImageNames
from lowlabel.features.rankings.ranking import END, Ranking

_MOST_SHOWN = 3


def ranked_dataset(
    file: RankingFile,
    opened: OpenDataset,
    parts: Sequence[str],
    *,
    label: str | None = None,
    distractors: OpenDataset | None = None,
) -> EmbeddedDataset:
    """Takes ranked lists in place of embeddings; the file's hash identifies them.

    Args:
        file: The lists.
        opened: The dataset; its evaluated part has the queries, which are searched in its gallery
            or among each other.
        parts: The evaluated part and the gallery.
        label: Name in tables; the file's by default.
        distractors: A dataset whose evaluated part can be listed too: in rows, after the gallery.

    Raises:
        DataError: If the lists name images that are not there, or queries are missing, unknown or
            there twice.
    """
    division = opened.division
    embedder = Embedder(label or file.path.stem, f"ranking:{file.path.name}", file.sha256)
    data = numbered_dataset(embedder, opened, parts)
    searched = division.gallery or division.evaluated
    paths = list(data.images[searched].paths)
    what = f"{opened.name} {searched}"
    others = distractors.load(distractors.division.evaluated) if distractors else None
    if others is not None:
        paths += others.paths
        what += f" with {others.dataset} {others.part}"
    names = ImageNames(paths, what)
    rows = _listed(file, names)
    order = _order(file, list(data.images[division.evaluated].paths), opened)
    ranking = Ranking(
        rows[order],
        None if file.scores is None else file.scores[order],
        0 if others is None else len(others),
        "" if others is None else others.dataset,
    )
    tables = {
        part: replace(table, key=file.sha256 * (part == division.evaluated), values_sha256="")
        for part, table in data.tables.items()
    }
    return replace(data, tables=tables, ranking=ranking)


def _listed(file: RankingFile, names: ImageNames) -> NDArray[np.int64]:
    """Rows of the listed images."""
    if file.gallery is None:
        return names.rows(file.ranking, f"{RANKING} of {file.path.name}")
    numbered = ImageNames([""] * len(file.gallery), f"{GALLERY} of {file.path.name}")
    places = numbered.rows(file.ranking, f"{RANKING} of {file.path.name}")
    used = np.isin(np.arange(len(file.gallery)), places)
    ids = np.where(used, file.gallery.astype(np.str_), "")  # others may be of no dataset
    return np.append(names.rows(ids, f"{GALLERY} of {file.path.name}"), END)[places]


def _order(file: RankingFile, paths: list[str], opened: OpenDataset) -> NDArray[np.int64]:
    """The list of each query, in the order of the dataset."""
    what, count = f"{opened.name} {opened.division.evaluated}", len(file.ranking)
    if file.queries is None:
        if count != len(paths):
            raise DataError(
                f"{file.path} has {count:,} lists for the {len(paths):,} queries of {what}",
                f"Save a list for each, in the order of the dataset, or the array {QUERIES} with "
                "the row or the name of each query.",
            )
        return np.arange(count)
    rows = ImageNames(paths, what).rows(file.queries, f"{QUERIES} of {file.path.name}")
    if (rows < 0).any():
        raise DataError(f"{QUERIES} of {file.path.name} has a query without a name", "Name it.")
    times = np.bincount(rows, minlength=len(paths))
    if (times > 1).any():
        raise DataError(
            f"{file.path} has {int((times > 1).sum()):,} queries twice, such as "
            f"{paths[int(times.argmax())]}",
            "Keep one list for each query.",
        )
    if not times.all():
        missing = [paths[row] for row in np.flatnonzero(times == 0)]
        raise DataError(
            f"{file.path} has no list for {len(missing):,} of the {len(paths):,} queries of "
            f"{what}: {first_few(missing, _MOST_SHOWN)}",
            "Add them: scores of some of the queries would not be those of the dataset.",
        )
    order = np.empty(count, np.int64)
    order[rows] = np.arange(count)
    return order
