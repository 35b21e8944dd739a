"""A dataset without the images that a file flags, and the marks of images that a model saw."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lowlabel.datasets import ImageSet, OpenDataset
from lowlabel.datasets.io.flagged import FlaggedImages
from lowlabel.datasets.io.lists import first_few
from lowlabel.errors import InputError
from lowlabel.features import EmbeddedDataset, EmbeddingTable
from lowlabel.features.embed import joined
from lowlabel.features.embedded import LeftOut

WITHOUT, LEAKAGE = "--without", "--leakage"
LEAKED = "leakage: "  # how the marks that `leakage_mark` makes begin


def check_flags(flagged: FlaggedImages, opened: OpenDataset, option: str) -> list[str]:
    """Returns the flagged paths that no part of a dataset holds.

    Raises:
        InputError: If no part holds any, or images cannot be left out since a ground truth names
            them by their rows.
    """
    if option == WITHOUT and opened.division.ground_truth is not None:
        raise InputError(
            f"--without does not go with {opened.name}: its ground truth names images by their row",
            "Leave --without out, or name other datasets.",
        )
    parts = opened.division.parts
    every = [item.path for part in parts for item in opened.division.read(opened.root, part)]
    unknown = flagged.unknown(every)
    count = len({path for path, _ in flagged.images})
    if len(unknown) == count:
        raise InputError(
            f"no part of {opened.name} holds any of the {count:,} paths of {flagged.name}, such as "
            f"{first_few(unknown)}",
            f"Paths are relative to {opened.root}. Give {option} a file of this dataset.",
        )
    return unknown


def without_flagged(
    data: EmbeddedDataset, opened: OpenDataset, flagged: FlaggedImages, unknown: int = 0
) -> EmbeddedDataset:
    """Leaves flagged images out of every part; features are selected, not extracted again.

    Args:
        data: The embeddings.
        opened: The dataset.
        flagged: The images to leave out.
        unknown: Number of flagged paths that no part holds.

    Raises:
        InputError: If no image is left in a part.
    """
    images = dict(data.images)
    gone: dict[str, list[int]] = {}
    for part, listed in data.images.items():
        embedded = readable(listed, data.tables[part])
        gone[part] = flagged.rows(part, embedded.paths, opened.division.parts)
        if len(gone[part]) == len(embedded):
            raise InputError(
                f"{flagged.name} flags all {len(embedded):,} images of the {part} part of "
                f"{opened.name}",
                "Choose some of its reasons: --reason exact-duplicate",
            )
        if gone[part]:
            kept = np.setdiff1d(np.arange(len(embedded)), gone[part])
            images[part] = embedded.only(kept.tolist())
    tables = {
        name: _without_rows(table, gone[name if name in gone else data.train_part or ""])
        for name, table in data.tables.items()  # views of the train part have its rows
    }
    scored = [part for part in (data.evaluated_part, data.gallery_part) if part]
    manifest = data.manifest_sha256
    if any(gone[part] for part in scored):
        hashes = [images[part].manifest.sha256 for part in scored]
        manifest = hashes[0] if len(hashes) == 1 else joined(*hashes)
    left_out = LeftOut(
        flagged.sha256,
        flagged.reasons,
        {part: len(rows) for part, rows in gone.items()},
        tuple(gone[data.evaluated_part]),
        data.manifest_sha256,
        unknown,
    )
    return replace(
        data,
        tables=tables,
        images=images,
        manifest_sha256=manifest,
        earlier=None,
        without=left_out,
    )


def _without_rows(table: EmbeddingTable, rows: Sequence[int]) -> EmbeddingTable:
    if not rows:
        return table
    return replace(
        table,
        features=np.delete(table.features, rows, axis=0),
        labels=np.delete(table.labels, rows),
        groups=None if table.groups is None else np.delete(table.groups, rows),
    )


def without_notes(data: EmbeddedDataset, flagged: FlaggedImages) -> list[str]:
    """What was left out of each part, and what could not be."""
    if data.without is None:
        return []
    notes = [
        f"{count:,} of the {count + len(data.tables[part].labels):,} {part} images of {data.name}, "
        f"flagged by {flagged.name}"
        for part, count in data.without.counts.items()
    ]
    if data.without.unknown:
        notes.append(
            f"{data.without.unknown:,} paths of {flagged.name}, which no part of {data.name} holds"
        )
    return notes


def leakage_mark(data: EmbeddedDataset, opened: OpenDataset, leaked: FlaggedImages) -> str:
    """The contamination mark of scores on a dataset that shares images with pretraining data.

    Returns:
        A sentence with the counts; empty if no scored image is flagged.
    """
    parts = dict.fromkeys(part for part in (data.evaluated_part, data.gallery_part) if part)
    counts = {}
    for part in parts:
        paths = readable(data.images[part], data.tables[part]).paths
        counts[part] = len(leaked.rows(part, paths, opened.division.parts)), len(paths)
    if not any(count for count, _ in counts.values()):
        return ""
    shown = " and ".join(f"{count:,} of {n:,} {part} images" for part, (count, n) in counts.items())
    where = " and ".join(leaked.others) or "the pretraining data"
    return f"{LEAKED}{shown} are in {where} too ({leaked.name} {leaked.sha256[:8]})"


def readable(images: ImageSet, table: EmbeddingTable) -> ImageSet:
    """The images that have an embedding."""
    bad = set(table.bad_images)
    if not bad:
        return images
    return images.only([row for row, path in enumerate(images.paths) if path not in bad])
