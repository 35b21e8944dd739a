"""Takes features over that an earlier version stored, when images were known by their size."""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from lowlabel.datasets import ImageSet
from lowlabel.errors import DataError
from lowlabel.features.backbone import Backbone
from lowlabel.features.key import FeatureKey
from lowlabel.features.partial_file import PartialFile
from lowlabel.features.store import earlier_key, feature_path
from lowlabel.features.store_before import StoredBefore, read_before

Pixels = NDArray[np.uint8]
Decode = Callable[[int], Pixels | None]

ROWS_AGAIN = 32  # rows that are extracted again, drawn at random
_TOLERANCE = {"float32": 5e-3}  # relative; processors differ by less, other images by more
_HALF_TOLERANCE = 5e-2


@dataclass(frozen=True)
class Earlier:
    """How earlier versions, which knew images by their size, identified the same embeddings.

    Attributes:
        manifest_sha256: The manifest.
        keys: The earlier key of each feature key.
        anew: Feature keys whose features were not taken over from an earlier version.
        newest: Time of the last change of any image, in nanoseconds since 1970.
    """

    manifest_sha256: str
    keys: Mapping[str, str]
    anew: frozenset[str]
    newest: int

    @classmethod
    def of(cls, backbone: Backbone, parts: Iterable[ImageSet], manifest: str) -> Self:
        """Looks in the store which features were taken over.

        Args:
            backbone: The model.
            parts: The images of all parts.
            manifest: The manifest of the scored images, by size.
        """
        keys, anew, newest = {}, set(), 0
        for images in parts:
            key = FeatureKey.of(backbone, images)
            keys[key.digest] = key.earlier(images).digest
            if earlier_key(key) != keys[key.digest]:
                anew.add(key.digest)
            newest = max(newest, images.manifest.newest)
        return cls(manifest, keys, frozenset(anew), newest)


def take_over(file: PartialFile, backbone: Backbone, decode: Decode) -> bool:
    """Moves features of an earlier version to a new file if they are surely of these images.

    They are if no image changed since they were stored, and rows drawn at random are the same when
    they are extracted again. Otherwise this is said, and the earlier file stays where it is.

    Args:
        file: The new file.
        backbone: The model.
        decode: Decodes the image of a row; None if it is damaged.

    Returns:
        Whether the new file is finished.
    """
    key, images = file.key, file.images
    earlier = key.earlier(images)
    path = feature_path(earlier)
    if not path.is_file():
        return False
    try:
        stored = read_before(path, earlier.json())
    except DataError as error:
        _say(f"not used: {error.message}")
        return False
    reason = (
        _read_otherwise(key, earlier)
        or _newer(images, path)
        or _listed_otherwise(images, stored)
        or _not_finite(stored)
        or _changed_rows(backbone, stored, decode)
    )
    if reason:
        _say(f"{path.name}, made by an earlier version, is not used: {reason}")
        return False
    file.earlier = earlier.digest
    for rows in file.pending():
        block = slice(rows.start, rows.stop)
        file.write(rows.start, stored.features[block], stored.bad[block])
    file.finish()
    path.unlink()
    _say(
        f"{backbone.title} on {images.dataset} {images.part}: features of an earlier version are "
        "taken over"
    )
    return True


def _read_otherwise(key: FeatureKey, earlier: FeatureKey) -> str:
    if key.extractor == earlier.extractor:
        return ""
    return "it has images of more than 8 bits per channel, which were read as white or black"


def _newer(images: ImageSet, path: Path) -> str:
    if images.manifest.newest < path.stat().st_mtime_ns:
        return ""
    return "images changed after it was made"


def _listed_otherwise(images: ImageSet, stored: StoredBefore) -> str:
    same = np.array_equal(stored.labels, images.labels) and stored.paths == images.paths
    return "" if same else "its images or labels are others"


def _not_finite(stored: StoredBefore) -> str:
    rows = int((~np.isfinite(stored.features).all(axis=1) & ~stored.bad).sum())
    return f"{rows:,} of its rows are not finite" if rows else ""


def _changed_rows(backbone: Backbone, stored: StoredBefore, decode: Decode) -> str:
    """Extracts rows again, and decodes all images that were damaged.

    A write that failed unnoticed left rows of zeros: some of these are always among the rows.
    """
    intact = sum(decode(row) is not None for row in np.flatnonzero(stored.bad).tolist())
    if intact:
        return f"{intact} images that could not be decoded can be now"
    random, present = np.random.default_rng(), ~stored.bad
    suspect = present & ~stored.features.any(axis=1)
    drawn = sorted(
        row
        for rows in (present & ~suspect, suspect)
        for row in random.permutation(np.flatnonzero(rows))[:ROWS_AGAIN].tolist()
    )
    tolerance = _TOLERANCE.get(backbone.dtype, _HALF_TOLERANCE)
    differing = [
        row
        for row, vector in _embed(backbone, drawn, decode).items()
        if not _agree(vector, stored.features[row], tolerance)
    ]
    if differing:
        return f"{len(differing)} of {len(drawn)} rows differ when extracted again"
    return ""


def _embed(
    backbone: Backbone, rows: list[int], decode: Decode
) -> dict[int, NDArray[np.float32] | None]:
    """The features of rows by the row; None for damaged images."""
    embedded: dict[int, NDArray[np.float32] | None] = dict.fromkeys(rows)
    by_shape: defaultdict[tuple[int, ...], list[tuple[int, Pixels]]] = defaultdict(list)
    for row in rows:
        pixels = decode(row)
        if pixels is not None:
            by_shape[pixels.shape].append((row, pixels))
    for batch in by_shape.values():
        stacked = torch.from_numpy(np.stack([pixels for _, pixels in batch]))
        vectors = backbone.embed(stacked).cpu().numpy()
        embedded |= {row: vector for (row, _), vector in zip(batch, vectors, strict=True)}
    return embedded


def _agree(new: NDArray[np.float32] | None, old: NDArray[np.float32], tolerance: float) -> bool:
    if new is None or new.shape != old.shape:
        return False
    was = old.astype(np.float64)  # the square of a damaged value may overflow float32
    return bool(np.linalg.norm(new - was) <= tolerance * np.linalg.norm(was))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
