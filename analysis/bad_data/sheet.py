"""A picture of flagged images beside the images that they are flagged for."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from lowlabel.analysis.bad_data.pool import Pool
from lowlabel.analysis.retrieval_gallery import Tile, draw_gallery


def draw_flags(
    flags: pd.DataFrame,
    pool: Pool,
    others: Sequence[NDArray[np.int64]] | None = None,
    *,
    other_pool: Pool | None = None,
    count: int = 12,
    beside: int = 5,
) -> Image.Image:
    """Draws a row for each flag: the image, then the one it duplicates, or its nearest others.

    A label error has a third line with the class that most of its neighbours vote for.

    Args:
        flags: Flags of one reason, in the order to draw them.
        pool: The flagged images.
        others: Rows of the nearest others of each image of the pool, shown where a flag names no
            image.
        other_pool: Where the other images of the flags are; the pool itself by default.
        count: Largest number of rows.
        beside: Largest number of nearest others.

    Raises:
        DataError: If an image cannot be read.
    """
    searched = other_pool or pool
    rows, other_rows = _rows(pool), _rows(searched)
    drawn = []
    for _, flag in flags.head(count).iterrows():
        row = rows[flag["part"], flag["path"]]
        suggested = [f"or {flag['other_class']}"] if flag["reason"] == "label-error" else []
        tile = Tile(pool.picture(row), (Path(flag["path"]).name, flag["class"], *suggested))
        if flag["other_path"]:
            found = [other_rows[flag["other_part"], flag["other_path"]]]
        else:
            found = [] if others is None else others[row][:beside].tolist()
        drawn.append((tile, [_tile(searched, each) for each in found]))
    return draw_gallery(drawn)


def _tile(pool: Pool, row: int) -> Tile:
    return Tile(pool.picture(row), (pool.parts[pool.part_numbers[row]], pool.classes[row]))


def _rows(pool: Pool) -> dict[tuple[str, str], int]:
    parts = (pool.parts[number] for number in pool.part_numbers)
    return {key: row for row, key in enumerate(zip(parts, pool.paths, strict=True))}
