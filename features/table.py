"""Tables of embeddings, as the store keeps them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lowlabel.features.store_file import StoreFile
from lowlabel.features.store_format import DONE

_MOST_BYTES = 2**30  # of features that are read into memory


@dataclass(frozen=True)
class EmbeddingTable:
    """Embeddings with their labels.

    Attributes:
        features: float32 [N, D]; those of a large file of the store are mapped from the disk.
        labels: int64 [N].
        key: SHA-256 that identifies their origin.
        bad_images: Paths of images that could not be decoded and have no row.
        engine: What computed them, if it was not torch: "OpenVINO 2026.4.1".
        values_sha256: Hash of the stored values, of which a table may take some rows: for a file
            made elsewhere, of the file; empty where nothing is stored.
        groups: Group of each image (patient, camera, burst), int64 [N], numbered over all parts;
            None if the dataset has no groups.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    key: str
    bad_images: tuple[str, ...] = ()
    engine: str = ""
    values_sha256: str = ""
    groups: NDArray[np.int64] | None = None

    def shared_with(self, other: "EmbeddingTable") -> int:
        """Number of rows that `other` holds too."""
        dtype = np.result_type(self.features, other.features)  # of files made elsewhere
        own, theirs = (
            (hash(row.astype(dtype, copy=False).tobytes()) for row in each.features)
            for each in (self, other)
        )
        known = {*theirs}
        return sum(row in known for row in own)


def stored_table(file: StoreFile, key: str) -> EmbeddingTable:
    """Reads a finished file of the feature store; rows of bad images are left out.

    Features of more than a gigabyte are verified and mapped: memory need not hold them. With bad
    images among them they are read, once.
    """
    good, labels = file.done == DONE, file.labels
    engine, values = file.engine, file.values_sha256
    if good.all():
        large = 4 * file.head.rows * file.head.width > _MOST_BYTES
        features = file.mapped() if large else file.features(0, len(good))
        return EmbeddingTable(features, labels, key, (), engine, values)
    features, filled = np.empty((int(good.sum()), file.head.width), np.float32), 0
    for rows in file.head.blocks(0, file.head.rows):
        kept = file.features(rows.start, rows.stop)[good[rows.start : rows.stop]]
        features[filled : filled + len(kept)] = kept
        filled += len(kept)
    bad = tuple(file.paths[~good])
    return EmbeddingTable(features, labels[good], key, bad, engine, values)
