"""Images that show little: blank, dark, overexposed, blurry or of an odd shape, by cleanvision."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from cleanvision.issue_managers.image_property import ImageProperty
from cleanvision.issue_managers.image_property_issue_manager import ImagePropertyIssueManager
from numpy.typing import NDArray
from PIL import Image

from lowlabel.progress import Progress

KINDS = {
    "low-information": "low_information",
    "dark": "dark",
    "light": "light",
    "blurry": "blurry",
    "odd-aspect": "odd_aspect_ratio",
}
_BLOCK_IMAGES = 2048


@dataclass(frozen=True)
class ImageQuality:
    """Scores of images by reason; lower is worse.

    Attributes:
        scores: cleanvision's score of each image by reason, float64 [N], from 0 to 1.
        thresholds: The score by reason below which an image is flagged.
    """

    scores: dict[str, NDArray[np.float64]]
    thresholds: dict[str, float]

    def flagged(self, reason: str) -> NDArray[np.bool_]:
        """Whether each image is flagged for a reason, [N]."""
        return self.scores[reason] < self.thresholds[reason]


def image_quality(
    read: Callable[[int], Image.Image],
    count: int,
    *,
    workers: int = 4,
    progress: Progress | None = None,
) -> ImageQuality:
    """Scores images by the properties and thresholds of cleanvision.

    Args:
        read: Opens the image of a row in RGB.
        count: Number of images N.
        workers: Number of threads.
        progress: Called with (images done, all images).
    """
    raw = pd.DataFrame(list(_measured(read, count, workers, progress)))
    settings = ImagePropertyIssueManager().get_default_params()
    scores, thresholds = {}, {}
    for reason, kind in KINDS.items():
        found = _properties()[kind].get_scores(raw_scores=raw, issue_type=kind, **settings[kind])
        scores[reason] = found[f"{kind}_score"].to_numpy(dtype=np.float64)
        thresholds[reason] = float(settings[kind]["threshold"])
    return ImageQuality(scores, thresholds)


@cache
def _properties() -> dict[str, ImageProperty]:
    properties: dict[str, ImageProperty] = ImagePropertyIssueManager().image_properties
    return properties


def _measured(
    read: Callable[[int], Image.Image], count: int, workers: int, progress: Progress | None
) -> Iterator[dict[str, float]]:
    kinds = [kind for kind in KINDS.values() if kind != "light"]  # measured with "dark"

    def measure(row: int) -> dict[str, float]:
        image, values = read(row), dict[str, float]()
        for kind in kinds:
            values |= _properties()[kind].calculate(image)
        return values

    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, count, _BLOCK_IMAGES):
            rows = range(start, min(start + _BLOCK_IMAGES, count))
            for row, values in zip(rows, pool.map(measure, rows), strict=True):
                yield values
                if progress is not None:
                    progress(row + 1, count)
