"""The table of flags: which images are suspect, why, and with which other image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lowlabel.analysis.bad_data.pool import Pool

COLUMNS = (
    *("path", "part", "class", "reason", "score"),
    *("other_path", "other_part", "other_class"),
)


@dataclass(frozen=True)
class FlagTable:
    """Collects the flags of the images of a pool.

    Attributes:
        pool: The images.
        rows: The flags so far, with `COLUMNS`.
    """

    pool: Pool
    rows: list[dict[str, object]] = field(default_factory=list)

    @cached_property
    def _about(self) -> list[tuple[str, str, str]]:
        """Path, part and class of each image."""
        parts = (self.pool.parts[number] for number in self.pool.part_numbers)
        return list(zip(self.pool.paths, parts, self.pool.classes, strict=True))

    def add(
        self,
        reason: str,
        rows: NDArray[np.int64],
        scores: NDArray[np.float64],
        others: NDArray[np.int64] | None = None,
        other_classes: Sequence[str] = (),
    ) -> None:
        """Adds a flag for each of some rows, the highest score first.

        Args:
            reason: Why they are flagged.
            rows: Rows in the pool.
            scores: A score for each; larger is worse.
            others: Another row that each is flagged for, if there is one.
            other_classes: A class that each is flagged for, if there is one.
        """
        for place in np.argsort(-scores, kind="stable"):
            path, part, name = self._about[rows[place]]
            other = self._about[others[place]] if others is not None else ("", "", "")
            if other_classes:
                other = ("", "", other_classes[place])
            values = (path, part, name, reason, round(float(scores[place]), 4), *other)
            self.rows.append(dict(zip(COLUMNS, values, strict=True)))

    def add_unreadable(self, part: str, path: str) -> None:
        """Adds an image that could not be decoded."""
        values = (path, part, "", "unreadable", "", "", "", "")
        self.rows.append(dict(zip(COLUMNS, values, strict=True)))

    def frame(self) -> pd.DataFrame:
        """The flags, one row each."""
        return pd.DataFrame(self.rows, columns=list(COLUMNS), dtype=object)  # see csv_text

    def images(self, scores: Mapping[str, NDArray[np.float64]]) -> pd.DataFrame:
        """All images with some scores, one row each."""
        about = pd.DataFrame(self._about, columns=["path", "part", "class"], dtype=object)
        return about.assign(**{name: values.round(4) for name, values in scores.items()})
