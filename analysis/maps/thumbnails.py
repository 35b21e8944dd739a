"""Small pictures that a page holds in itself."""

import base64
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_QUALITY = 80


def shown_rows(images: int, limit: int, first: NDArray[np.bool_], seed: int = 0) -> list[int]:
    """Chooses the images that have a thumbnail: those of `first`, then others at random.

    Args:
        images: Number of images.
        limit: Number of thumbnails.
        first: Whether each image comes before the others, [images].
        seed: Random seed.

    Returns:
        Rows, rising.
    """
    if limit >= images:
        return list(range(images))
    order = np.random.default_rng(seed).permutation(images)
    chosen = np.concatenate([order[first[order]], order[~first[order]]])[:limit]
    return [int(row) for row in np.sort(chosen)]


def thumbnails(
    rows: Sequence[int], read: Callable[[int], Image.Image], side: int = 96, workers: int = 4
) -> dict[int, str]:
    """Encodes images as JPEG in data URIs.

    Args:
        rows: Rows of the images.
        read: Opens the image of a row.
        side: Length of the longest side in pixels.
        workers: Number of threads that decode images.
    """

    def encode(row: int) -> str:
        picture = read(row)
        picture.thumbnail((side, side), Image.Resampling.BICUBIC)
        encoded = io.BytesIO()
        picture.convert("RGB").save(encoded, "JPEG", quality=_QUALITY)
        return f"data:image/jpeg;base64,{base64.b64encode(encoded.getvalue()).decode()}"

    with ThreadPoolExecutor(workers) as pool:
        return dict(zip(rows, pool.map(encode, rows), strict=True))
