"""The images nearest to a query, and the worst queries of a dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lowlabel.analysis.retrieval_gallery import Tile
from lowlabel.datasets import Box, ImageSet
from lowlabel.datasets.io.boxed import open_image
from lowlabel.datasets.io.pixels import Orientation, must_decode
from lowlabel.features import EmbeddingTable
from lowlabel.retrieval import evaluate_retrieval, top_images


@dataclass(frozen=True)
class Collection:
    """Images with their embeddings, row by row.

    Attributes:
        root: Folder that the paths are relative to.
        paths: N paths.
        boxes: Box to crop from each image; None uses the whole images.
        classes: N class names; empty if they are not known.
        table: The embeddings, with integer labels of the classes.
        orientation: How the images are turned, as for the model.
    """

    root: Path
    paths: tuple[str, ...]
    boxes: tuple[Box | None, ...] | None
    classes: tuple[str, ...]
    table: EmbeddingTable
    orientation: Orientation = "stored"

    @classmethod
    def of(
        cls, images: ImageSet, table: EmbeddingTable, orientation: Orientation = "stored"
    ) -> "Collection":
        """The images of an image set that have an embedding."""
        bad = set(table.bad_images)
        kept = [row for row, path in enumerate(images.paths) if path not in bad]
        return cls(
            images.root,
            tuple(images.paths[row] for row in kept),
            tuple(images.boxes[row] for row in kept) if images.boxes else None,
            tuple(images.class_names[images.labels[row]] for row in kept),
            table,
            orientation,
        )

    def picture(self, row: int) -> Image.Image:
        """Opens an image and crops its box.

        Raises:
            DataError: If the image cannot be read.
        """
        path = self.root / self.paths[row]
        with must_decode(path):
            return open_image(path, self.boxes[row] if self.boxes else None, self.orientation)[0]


def worst_queries(
    queries: Collection, gallery: Collection | None, count: int, **options: Any
) -> list[int]:
    """Rows of the queries with the lowest average precision, worst first.

    Args:
        queries: The queries.
        gallery: The gallery; None searches each query among the other queries.
        count: Number of queries.
        options: `train`, `train_labels`, `post` and `device` of `evaluate_retrieval`.
    """
    searched = (gallery.table.features, gallery.table.labels) if gallery else None
    table = queries.table
    result = evaluate_retrieval(table.features, table.labels, gallery=searched, ks=(1,), **options)
    worst = np.argsort(result.per_query["map"], kind="stable")[:count]
    return [int(row) for row in result.query_index[worst]]


def retrieved(
    queries: Collection, gallery: Collection | None, rows: Sequence[int], k: int, **options: Any
) -> list[tuple[Tile, list[Tile]]]:
    """Tiles of queries, each with the tiles of its k nearest images.

    Args:
        queries: The queries. Without classes, tiles are neither right nor wrong.
        gallery: The gallery; None searches each query among the other queries.
        rows: Rows of the queries to show.
        k: Number of images for each query.
        options: `train`, `train_labels`, `post` and `device` of `top_images`.
    """
    searched, features = gallery or queries, gallery.table.features if gallery else None
    similarity, found = top_images(
        queries.table.features, k, queries=rows, gallery=features, **options
    )
    return [
        (_query(queries, row), [_hit(queries, searched, row, *hit) for hit in hits])
        for row, hits in zip(rows, _pairs(found, similarity), strict=True)
    ]


def _pairs(
    found: NDArray[np.int64], similarity: NDArray[np.float64]
) -> list[list[tuple[int, float]]]:
    return [
        list(zip(rows, values, strict=True))
        for rows, values in zip(found.tolist(), similarity.tolist(), strict=True)
    ]


def _query(queries: Collection, row: int) -> Tile:
    name = queries.classes[row] if queries.classes else ""
    return Tile(queries.picture(row), (f"query: {Path(queries.paths[row]).name}", name))


def _hit(
    queries: Collection, searched: Collection, query: int, row: int, similarity: float
) -> Tile:
    name = searched.classes[row]
    right = queries.classes[query] == name if queries.classes else None
    return Tile(searched.picture(row), (f"{similarity:.3f}", name), right)
