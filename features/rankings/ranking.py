"""Ranked lists in place of embeddings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

END = -1  # the row in every place after the end of a list


@dataclass(frozen=True, eq=False)
class Ranking:
    """Ranked lists of the evaluated images.

    Attributes:
        rows: Rows in the gallery, the nearest first, and from its number of images on of
            distractors, int64 [Q, K]; `END` after the end of a list.
        scores: Score of each, float64 [Q, K]; None if the file has none.
        distractors: Number of distractors that can be listed.
        distractor_set: Name of their dataset; empty if there are none.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64] | None
    distractors: int = 0
    distractor_set: str = ""

    def lengths(self, *, leave_one_out: bool) -> tuple[int, int]:
        """The smallest and the largest number of images in a list besides the query's own."""
        listed = self.rows != END
        if leave_one_out:
            listed &= self.rows != np.arange(len(self.rows))[:, None]
        counts = listed.sum(1)
        return int(counts.min()), int(counts.max())
