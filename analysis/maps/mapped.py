"""What a map shows: the images, and where each model puts them."""

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lowlabel.analysis.maps.embedding_map import EmbeddingMap

_GOLDEN = 0.61803398875  # turns of hue between classes: any few of them differ


@dataclass(frozen=True)
class ModelMap:
    """The map of one model."""

    model: str
    map: EmbeddingMap


@dataclass(frozen=True)
class MappedImages:
    """The images of a map, in the order of its points.

    Attributes:
        title: The dataset and its part.
        paths: N paths.
        labels: Class of each image, indices into `classes`, int64 [N].
        classes: Names of the classes.
        flags: Reason why an image is marked, by its row.
    """

    title: str
    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    flags: Mapping[int, str] = field(default_factory=dict)

    @property
    def colours(self) -> list[str]:
        """A colour for each class, as #rrggbb."""
        return [_colour(number) for number in range(len(self.classes))]


def _colour(number: int) -> str:
    lightness = (0.45, 0.62, 0.35)[number % 3]
    channels = colorsys.hls_to_rgb(0.58 + number * _GOLDEN, lightness, 0.65)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)
