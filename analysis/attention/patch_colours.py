"""Patch tokens as colours: their first three principal components as red, green and blue."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lowlabel.errors import InputError

_COLOURS = 3
_FLAT = 1e-12  # of the variance of the first component; a component below it is rounding

Patches = NDArray[np.float32]


def patch_colours(
    images: Sequence[Patches], *, foreground: bool = False
) -> list[NDArray[np.float64]]:
    """Colours the patches of images by a principal component analysis of all of them together.

    Patches of one colour are alike, also across images. As in DINOv2 (Oquab et al.,
    arXiv:2304.07193, figure 1): with `foreground`, patches on one side of the first component are
    background, and the colours are the components of the others. The sign of a component is
    arbitrary: the background is the side that has the larger share of the images' borders, and the
    largest loading of each colour is positive.

    Args:
        images: Patch tokens of each image, floats [rows, columns, D].
        foreground: Whether to separate the background, which becomes black.

    Returns:
        RGB in 0 to 1 of each image, [rows, columns, 3]. Each component is scaled to its range over
        all images; one without variance is 0.5.

    Raises:
        InputError: If there is no image, widths differ, or tokens are not finite.
    """
    if not images or len({image.shape[-1] for image in images}) > 1:
        raise InputError("patch colours need one or more images of one model")
    tokens = np.concatenate([image.reshape(-1, image.shape[-1]) for image in images])
    if not np.isfinite(tokens).all():
        raise InputError("patch tokens hold NaN or infinite values", "Use --dtype float32.")
    shown = _foreground(tokens, images) if foreground else np.ones(len(tokens), dtype=bool)
    colours = np.zeros((len(tokens), _COLOURS))
    colours[shown] = _scaled(_components(tokens[shown], _COLOURS))
    ends = np.cumsum([image.shape[0] * image.shape[1] for image in images])[:-1]
    parts = np.split(colours, ends)
    return [
        part.reshape(*image.shape[:2], _COLOURS) for part, image in zip(parts, images, strict=True)
    ]


def _components(tokens: Patches, count: int) -> NDArray[np.float64]:
    """Scores of the first principal components, float64 [N, count]; 0 where there are fewer."""
    centred = tokens - tokens.mean(axis=0, dtype=np.float64)
    variance, axes = np.linalg.eigh(centred.T @ centred)
    kept = [place for place in range(len(variance))[::-1][:count] if _counts(variance, place)]
    axes = axes[:, kept]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[largest, np.arange(len(kept))])
    scores = np.zeros((len(tokens), count))
    scores[:, : len(kept)] = centred @ axes
    return scores


def _counts(variance: NDArray[np.float64], place: int) -> bool:
    return bool(variance[place] > max(_FLAT * variance[-1], 0.0))


def _scaled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = scores.min(axis=0), scores.max(axis=0)
    width = high - low
    return np.where(width > 0, (scores - low) / np.where(width > 0, width, 1.0), 0.5)


def _foreground(tokens: Patches, images: Sequence[Patches]) -> NDArray[np.bool_]:
    """The side of the first component that has the smaller share of its patches on borders."""
    above = _components(tokens, 1)[:, 0] > 0
    border = np.concatenate([_border(image.shape[0], image.shape[1]) for image in images])
    if not above.any():
        return np.ones(len(tokens), dtype=bool)
    return above if border[above].mean() <= border[~above].mean() else ~above


def _border(rows: int, columns: int) -> NDArray[np.bool_]:
    border = np.ones((rows, columns), dtype=bool)
    border[1:-1, 1:-1] = False
    return border.ravel()
