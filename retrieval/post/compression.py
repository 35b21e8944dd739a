"""Cheaper embeddings: fewer dimensions, or fewer bits for each. Nothing is learned."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.retrieval.post.base import FLOAT_BITS, Embedded, PostProcessing
from lowlabel.retrieval.ranking.blocks import row_blocks
from lowlabel.scale import magnitudes, unit

_LARGEST = 127


@dataclass(frozen=True)
class Compression(PostProcessing):
    """Changes each row on its own, to one that takes fewer bytes."""

    bits: ClassVar[int | None] = None

    @abstractmethod
    def compress(self, rows: Tensor) -> Tensor:
        """What is compared in place of rows of any length, [n, D] → [n, D']."""

    def apply(self, embedded: Embedded) -> Embedded:
        """Compresses queries, gallery and training images, and scales them to length 1."""
        gallery = unit(self.compress(embedded.gallery))
        same = embedded.queries is embedded.gallery
        queries = gallery if same else unit(self.compress(embedded.queries))
        train = None if embedded.train is None else unit(self.compress(embedded.train))
        return replace(embedded, queries=queries, gallery=gallery, train=train, raw=None)


@dataclass(frozen=True)
class Truncate(Compression):
    """The first dimensions alone, as of Matryoshka embeddings.

    Aditya Kusupati et al. Matryoshka Representation Learning. NeurIPS 2022. arXiv:2205.13147

    Attributes:
        dimensions: Number of dimensions that are kept, at least 1.
    """

    name: ClassVar[str] = "truncate"
    dimensions: int = 128

    def __post_init__(self) -> None:
        self.require_at_least("dimensions", 1)

    def width(self, dimensions: int) -> int:
        """The dimensions that are kept.

        Raises:
            InputError: If there are fewer.
        """
        if self.dimensions > dimensions:
            raise InputError(
                f"{self.spec} keeps more dimensions than the {dimensions} of the features",
                f"Keep at most {dimensions}.",
            )
        return self.dimensions

    def compress(self, rows: Tensor) -> Tensor:
        """The first dimensions."""
        return rows[:, : self.width(rows.shape[1])].contiguous()


@dataclass(frozen=True)
class Int8(Compression):
    """Whole numbers from -127 to 127, one byte for each dimension.

    Each row is divided by its largest magnitude / 127 and rounded, halves to even. The scale is the
    row's own, so nothing is learned from other images; cosines need no scale, and no byte is
    counted for it.
    """

    name: ClassVar[str] = "int8"
    bits: ClassVar[int | None] = 8

    def compress(self, rows: Tensor) -> Tensor:
        """The whole numbers times the scale of the row."""
        found = torch.empty_like(rows)
        for start, stop in row_blocks(len(rows), rows.shape[1]):
            block = rows[start:stop].double()
            scale = magnitudes(block) / _LARGEST
            scale = torch.where(scale > 0, scale, 1.0)
            found[start:stop] = (block / scale).round() * scale
        return found


@dataclass(frozen=True)
class Binary(Compression):
    """The sign of each dimension, one bit: 1 above 0, else -1.

    The cosine of two rows of signs is 1 − 2·h/D with their Hamming distance h, so they are ranked
    by it; equal distances are ties.
    """

    name: ClassVar[str] = "binary"
    bits: ClassVar[int | None] = 1

    def compress(self, rows: Tensor) -> Tensor:
        """The signs."""
        return torch.where(rows > 0, 1.0, -1.0).to(rows.dtype)


def bytes_per_image(steps: Sequence[PostProcessing], dimensions: int) -> int:
    """Bytes that the embedding of an image takes after some steps; float32 unless a step says so.

    Args:
        steps: In order.
        dimensions: Dimensions before.
    """
    bits = FLOAT_BITS
    for step in steps:
        dimensions, bits = step.width(dimensions), step.bits or bits
    return -(-dimensions * bits // 8)
