"""Where a view lies in its source image: transforms return it, patch matching reads it."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import torch

from lowlabel.errors import InputError


@dataclass(frozen=True)
class CropGeometry:
    """A crop of an image, resized to a square and perhaps mirrored.

    Attributes:
        top: First row of the crop, in pixels of the source image.
        left: First column, likewise.
        height: Rows of the crop.
        width: Columns of the crop.
        source_height: Rows of the source image.
        source_width: Columns of the source image.
        flipped: Whether the view was mirrored left to right after the crop.
        size: Side of the square view that the crop became, in pixels.
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
        """The inverse of `row`, for one view: eight integers in the order of `GEOMETRY_FIELDS`."""
        values = [int(value) for value in row]
        if len(values) != len(GEOMETRY_FIELDS):
            raise InputError(f"a geometry has {len(GEOMETRY_FIELDS)} numbers, not {len(values)}")
        top, left, height, width, source_height, source_width, flipped, size = values
        return cls(top, left, height, width, source_height, source_width, bool(flipped), size)

    def row(self) -> list[int]:
        """The numbers in the order of `GEOMETRY_FIELDS`."""
        return [int(value) for value in astuple(self)]


GEOMETRY_FIELDS = tuple(field.name for field in fields(CropGeometry))


def geometry_tensor(crops: Sequence[CropGeometry]) -> torch.Tensor:
    """The views of one image as int64 [V, 8], columns as in `GEOMETRY_FIELDS`.

    A batch is their stack, int64 [B, V, 8].
    """
    return torch.tensor([crop.row() for crop in crops], dtype=torch.int64)
