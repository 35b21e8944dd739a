"""Geometry of a view: its crop in the source image. Multi-crop returns it for patch matching."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import torch

from lowlabel.errors import InputError


@dataclass(frozen=True)
class CropGeometry:
    """A crop of an image, resized to a square and optionally mirrored.

    Attributes:
        top: First row of the crop, in pixels of the source image.
        left: First column of the crop, in pixels of the source image.
        height: Height of the crop.
        width: Width of the crop.
        source_height: Height of the source image.
        source_width: Width of the source image.
        flipped: Whether the crop was mirrored left to right.
        size: Side of the square view, in pixels.
    """

    top: int
    left: int
    height: int
    width: int
    source_height: int
    source_width: int
    flipped: bool
    size: int

    @classmethod
    def from_row(cls, row: torch.Tensor | Sequence[int]) -> "CropGeometry":
        """Makes a geometry from its `row`: eight integers in the order of `GEOMETRY_FIELDS`."""
        values = [int(value) for value in row]
        if len(values) != len(GEOMETRY_FIELDS):
            raise InputError(
                f"a geometry must have {len(GEOMETRY_FIELDS)} numbers, not {len(values)}"
            )
        top, left, height, width, source_height, source_width, flipped, size = values
        return cls(top, left, height, width, source_height, source_width, bool(flipped), size)

    def row(self) -> list[int]:
        """The fields as integers, in the order of `GEOMETRY_FIELDS`."""
        return [int(value) for value in astuple(self)]


GEOMETRY_FIELDS = tuple(field.name for field in fields(CropGeometry))


def geometry_tensor(crops: Sequence[CropGeometry]) -> torch.Tensor:
    """The views of one image as int64 [V, 8], with the columns `GEOMETRY_FIELDS`."""
    return torch.tensor([crop.row() for crop in crops], dtype=torch.int64)
