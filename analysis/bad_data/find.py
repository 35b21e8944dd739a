"""Everything that is suspect about the images of a dataset, as a table of flags."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lowlabel.analysis.bad_data.duplicates import (
    ROUNDING,
    first_of_content,
    near_duplicates,
    near_threshold,
)
from lowlabel.analysis.bad_data.flags import FlagTable
from lowlabel.analysis.bad_data.groups import cosines_outside_groups
from lowlabel.analysis.bad_data.image_quality import ImageQuality, image_quality
from lowlabel.analysis.bad_data.label_errors import NEIGHBOURS, find_label_errors
from lowlabel.analysis.bad_data.pool import Pool
from lowlabel.analysis.outliers import NearestOthers, Outliers, nearest_others
from lowlabel.errors import InputError
from lowlabel.progress import progress_bar

ACROSS = "-across"  # the two images are in different parts


@dataclass(frozen=True)
class BadData:
    """What is suspect about the images of a pool.

    Attributes:
        flags: A row for each image and reason: path, part, class, reason, score, other_path,
            other_part, other_class. The score is larger for worse images of one reason.
        scores: A row for each image: path, part, class, the score of each kind of flaw, and their
            largest, `combined`. 0 is the median of all images, 1 the threshold of a flag.
        others: The nearest other images of each image of the pool.
        within: Rows of the nearest others in the same part, of each image of the pool.
        notes: What was not looked for, with the reason.
    """

    flags: pd.DataFrame
    scores: pd.DataFrame
    others: NearestOthers
    within: tuple[NDArray[np.int64], ...]
    notes: tuple[str, ...] = ()


def find_bad_data(
    pool: Pool,
    *,
    k: int = 10,
    distance: float | None = None,
    labelled: bool = True,
    shared_classes: bool = False,
    workers: int = 4,
    device: str | torch.device = "auto",
) -> BadData:
    """Flags outliers, duplicates, label errors and images that show little.

    Outliers are found within each part and duplicates among all images. Of duplicates the first
    image of the pool is kept, and the others are flagged.

    Args:
        pool: The images.
        k: Number of nearest others for outliers.
        distance: Largest cosine distance of near duplicates; see `near_threshold`.
        labelled: Whether classes are labels that may be wrong.
        shared_classes: Whether all parts hold the same classes, so that label errors are looked for
            among all images; else within each part.
        workers: Number of threads that read images.
        device: Device to compute on.

    Raises:
        InputError: If there are fewer than 2 images or an option is out of range.
        DataError: If an image cannot be read.
    """
    if len(pool) < 2:
        raise InputError(f"{len(pool)} readable image: nothing to compare it with")
    features = pool.features
    others = nearest_others(features, k, device=device)
    with progress_bar("looking at the images", "img") as progress:
        quality = image_quality(pool.picture, len(pool), workers=workers, progress=progress)
    table, notes = FlagTable(pool), list[str]()
    for part, path in pool.unreadable:
        table.add_unreadable(part, path)
    outliers, within = _outliers(pool, table, k, device, notes)
    scores = {
        "outlier": outliers,
        "duplicate": _duplicates(features, pool, table, others, distance, device),
        "low_information": _low_information(table, quality),
    }
    combined = np.max(list(scores.values()), axis=0)
    if labelled:
        scores["label_error"] = _label_errors(pool, table, shared_classes, device, notes)
    else:
        notes.append("label errors: labels are no classes")
    images = table.images(scores | {"combined": combined})
    return BadData(table.frame(), images, others, within, (*notes,))


def beyond(
    values: NDArray[np.float64], threshold: float, flagged: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Values on a scale on which 0 is their median and 1 the threshold of a flag [N].

    Values below the median are 0. If the median itself is flagged, flagged images are 1 and others
    0.

    Args:
        values: Larger is worse [N].
        threshold: The value from which images are flagged.
        flagged: Whether each image is flagged [N].
    """
    span = threshold - float(np.median(values))
    if span <= ROUNDING:
        return flagged.astype(np.float64)
    return np.maximum((values - (threshold - span)) / span, 0.0)


def _outliers(
    pool: Pool, table: FlagTable, k: int, device: str | torch.device, notes: list[str]
) -> tuple[NDArray[np.float64], tuple[NDArray[np.int64], ...]]:
    """Flags images that are far from all others, alone or as a small group.

    Returns:
        The score of each image, [N], and the rows of the nearest others in its part.
    """
    scores, within = np.zeros(len(pool)), [np.empty(0, np.int64)] * len(pool)
    for part, images in enumerate(pool.images):
        rows = np.flatnonzero(pool.part_numbers == part)
        if len(rows) < 2:
            notes.append(f"outliers of {pool.parts[part]}: it has {len(rows)} image")
            continue
        features = images.table.features
        others = nearest_others(features, k, device=device)
        for row, nearest in zip(rows, rows[others.rows], strict=True):
            within[row] = nearest
        alone = Outliers.of(others.cosines)
        group = Outliers.of(cosines_outside_groups(features, others, device=device))
        grouped = group.flagged & ~alone.flagged
        for name, found, chosen in (
            ("outlier", alone, alone.flagged),
            ("outlier-group", group, grouped),
        ):
            judged = beyond(found.distances, found.threshold, found.flagged)
            table.add(name, rows[chosen], judged[chosen])
            scores[rows] = np.maximum(scores[rows], judged)
    return scores, tuple(within)


def _duplicates(
    features: NDArray[np.float32],
    pool: Pool,
    table: FlagTable,
    others: NearestOthers,
    distance: float | None,
    device: str | torch.device,
) -> NDArray[np.float64]:
    nearest = np.maximum(1 - others.cosines[:, 0], 0.0)
    threshold = near_threshold(nearest, distance)
    near = nearest <= threshold + ROUNDING
    scores = beyond(-nearest, -threshold, near)
    first = first_of_content(pool.contents)
    copies = np.flatnonzero(first != np.arange(len(pool)))
    _add_pairs(table, "exact-duplicate", copies, first[copies], scores)
    rows = np.flatnonzero(near & (first == np.arange(len(pool))))
    if len(rows):
        owner = near_duplicates(features[rows], threshold, device=device)
        _add_pairs(table, "near-duplicate", rows[owner >= 0], rows[owner[owner >= 0]], scores)
    return scores


def _add_pairs(
    table: FlagTable,
    reason: str,
    rows: NDArray[np.int64],
    kept: NDArray[np.int64],
    scores: NDArray[np.float64],
) -> None:
    """Flags images with the image that is kept in their place, by whether it is in their part."""
    across = table.pool.part_numbers[rows] != table.pool.part_numbers[kept]
    for name, chosen in ((reason, ~across), (reason + ACROSS, across)):
        table.add(name, rows[chosen], scores[rows[chosen]], kept[chosen])


def _low_information(table: FlagTable, quality: ImageQuality) -> NDArray[np.float64]:
    every = []
    for reason, values in quality.scores.items():
        flagged = quality.flagged(reason)
        scores = beyond(-values, -quality.thresholds[reason], flagged)
        table.add(reason, np.flatnonzero(flagged), scores[flagged])
        every.append(scores)
    largest: NDArray[np.float64] = np.max(every, axis=0)
    return largest


def _label_errors(
    pool: Pool,
    table: FlagTable,
    shared_classes: bool,
    device: str | torch.device,
    notes: list[str],
) -> NDArray[np.float64]:
    """Flags label errors; returns 1 - the share of votes for the given class, [N]."""
    names, labels = np.unique(pool.classes, return_inverse=True)
    scores, features, numbers = np.zeros(len(pool)), pool.features, pool.part_numbers
    groups = (
        {" and ".join(pool.parts): np.arange(len(pool))}
        if shared_classes
        else {part: np.flatnonzero(numbers == number) for number, part in enumerate(pool.parts)}
    )
    for part, rows in groups.items():
        classes = len(np.unique(labels[rows]))
        if classes < 2:
            notes.append(f"label errors of {part}: it has {classes} class")
            continue
        others = nearest_others(features[rows], NEIGHBOURS, device=device)
        found = find_label_errors(labels[rows], others)
        scores[rows] = 1 - found.quality
        suggested = [str(names[label]) for label in found.suggested[found.flagged]]
        flagged = rows[found.flagged]
        table.add("label-error", flagged, scores[flagged], other_classes=suggested)
    return scores
