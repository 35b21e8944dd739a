"""The images of a dataset that pretraining data hold too, as a table of flags."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lowlabel.analysis.bad_data.flags import COLUMNS
from lowlabel.analysis.bad_data.leakage import Leakage, find_leakage
from lowlabel.analysis.bad_data.pool import Pool
from lowlabel.analysis.retrieved import Collection
from lowlabel.datasets import ImageSet
from lowlabel.features import (
    Backbone,
    EmbeddingTable,
    ExtractionOptions,
    FeatureKey,
    store_features,
    stored_rows,
)
from lowlabel.features.store import bad_images
from lowlabel.progress import progress_bar

_BLOCK_ROWS = 8192


@dataclass(frozen=True)
class LeakedImages:
    """The images that leaked.

    Attributes:
        flags: A row for each: the columns of `BadData.flags`, and `other_dataset`. The score is the
            cosine similarity.
        partners: The images of the pretraining data that the flags name.
        summary: The counts as a sentence.
    """

    flags: pd.DataFrame
    partners: Pool
    summary: str


def leaked_images(
    pool: Pool,
    pretraining: Sequence[ImageSet],
    backbone: Backbone,
    options: ExtractionOptions,
    *,
    distance: float | None = None,
    device: str | torch.device = "auto",
) -> LeakedImages:
    """Flags the images of a pool that pretraining data hold too, the most similar first.

    Embeddings of the pretraining data are read from the store by blocks.

    Args:
        pool: The images that are scored.
        pretraining: The pretraining data.
        backbone: The model that tells how similar images are.
        options: How to extract its features.
        distance: Largest cosine distance of near duplicates; see `find_leakage`.
        device: Device to compute on.

    Raises:
        UserError: If images cannot be read, or `find_leakage` refuses them.
    """
    keys = [_stored(backbone, images, options) for images in pretraining]
    kept = [_readable(images, key) for images, key in zip(pretraining, keys, strict=True)]
    theirs = [
        images.manifest.contents[32 * row : 32 * row + 32]
        for images, rows in zip(pretraining, kept, strict=True)
        for row in rows
    ]
    ours = [content for content, _ in pool.contents]  # whatever the box
    found = find_leakage(
        pool.features, _blocks(keys), (ours, theirs), distance=distance, device=device
    )
    places = [(part, int(row)) for part, rows in enumerate(kept) for row in rows]
    flags = _flags(pool, pretraining, places, found)
    names = " and ".join(dict.fromkeys(images.dataset for images in pretraining))
    summary = (
        f"{len(flags):,} of {len(pool):,} {' and '.join(pool.parts)} images are in the "
        f"{len(places):,} images of {names} too: {int(found.exact.sum()):,} exactly, "
        f"{int(found.near.sum()):,} nearly (cosine distance up to {found.threshold:.3g})"
    )
    return LeakedImages(flags, _partners(pretraining, flags), summary)


def _stored(backbone: Backbone, images: ImageSet, options: ExtractionOptions) -> FeatureKey:
    with progress_bar(f"{backbone.name} on {images.dataset} {images.part}", "img") as progress:
        return store_features(backbone, images, options, progress)


def _readable(images: ImageSet, key: FeatureKey) -> NDArray[np.int64]:
    """Rows of the images that have an embedding."""
    bad = set(bad_images(key))
    return np.array([row for row, path in enumerate(images.paths) if path not in bad], np.int64)


def _blocks(keys: Sequence[FeatureKey]) -> Iterator[NDArray[np.float32]]:
    for key in keys:
        with stored_rows(key) as rows:
            for start in range(0, rows.shape[0], _BLOCK_ROWS):
                block = rows[start : start + _BLOCK_ROWS]
                if len(block):
                    yield block


def _flags(
    pool: Pool,
    pretraining: Sequence[ImageSet],
    places: Sequence[tuple[int, int]],
    found: Leakage,
) -> pd.DataFrame:
    rows = np.flatnonzero(found.exact | found.near)
    order = np.lexsort((rows, found.distances[rows], ~found.exact[rows]))
    about = list(
        zip(pool.paths, (pool.parts[n] for n in pool.part_numbers), pool.classes, strict=True)
    )
    lines = []
    for row in rows[order].tolist():
        part, other = places[found.rows[row]]
        images = pretraining[part]
        reason = "exact-duplicate" if found.exact[row] else "near-duplicate"
        similarity = 1.0 if found.exact[row] else round(1 - float(found.distances[row]), 4)
        name = images.class_names[images.labels[other]]
        theirs = (images.paths[other], images.part, name, images.dataset)
        lines.append((*about[row], f"{reason}-across", similarity, *theirs))
    return pd.DataFrame(lines, columns=[*COLUMNS, "other_dataset"], dtype=object)  # see csv_text


def _partners(pretraining: Sequence[ImageSet], flags: pd.DataFrame) -> Pool:
    """The images that the flags name, without embeddings."""
    collections, contents = [], 0
    for images in pretraining:
        named = set(flags.loc[flags["other_part"] == images.part, "other_path"])
        rows = [row for row, path in enumerate(images.paths) if path in named]
        chosen = images.only(rows)
        table = EmbeddingTable(np.empty((len(rows), 0), np.float32), chosen.labels, "")
        collections.append(Collection.of(chosen, table))
        contents += len(rows)
    return Pool(
        tuple(images.part for images in pretraining),
        tuple(collections),
        tuple((b"", row) for row in range(contents)),
    )
