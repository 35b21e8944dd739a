"""From the patches of a model's input back to the pixels of the original image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets import Box


@dataclass(frozen=True)
class Placement:
    """The patch that shows each pixel of an image.

    Attributes:
        rows: Row of patches of each row of pixels, -1 outside the model's input, [height].
        columns: Column of patches of each column of pixels, [width].
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        size: tuple[int, int],
        region: Box,
        grid: tuple[int, int],
        extent: tuple[float, float] = (1.0, 1.0),
    ) -> "Placement":
        """Inverts a model's resizing and cropping.

        Args:
            size: Width and height of the image.
            region: Left, top, right and bottom of the input in the image: `transform.covered`.
            grid: Rows and columns of patches.
            extent: Part of the input's height and width that the patches cover.
        """
        left, top, right, bottom = region
        down = top, top + (bottom - top) * extent[0]
        across = left, left + (right - left) * extent[1]
        return cls(_patches(size[1], down, grid[0]), _patches(size[0], across, grid[1]))

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Whether the patches show each pixel, [height, width]."""
        inside: NDArray[np.bool_] = (self.rows >= 0)[:, None] & (self.columns >= 0)
        return inside

    def spread(self, values: NDArray[Any]) -> NDArray[Any]:
        """Gives each pixel the value of its patch, without interpolation; 0 outside.

        Args:
            values: [rows, columns, …].

        Returns:
            [height, width, …].
        """
        padding = [(0, 1), (0, 1)] + [(0, 0)] * (values.ndim - 2)  # index -1 is the padding
        padded: NDArray[Any] = np.pad(values, padding)
        return padded[self.rows[:, None], self.columns]


def _patches(pixels: int, span: tuple[float, float], patches: int) -> NDArray[np.int64]:
    """The patch of the centre of each pixel of one axis; -1 outside the span."""
    start, stop = span
    place = np.floor((np.arange(pixels) + 0.5 - start) / (stop - start) * patches)
    return np.where((place >= 0) & (place < patches), place, -1).astype(np.int64)
