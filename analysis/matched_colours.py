"""Which matched patches a picture shows in which colour, and which of them it joins."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Colours = dict[int, Colour]

_LINKS = 12
_CORNERS = np.array([[(235, 64, 52), (250, 200, 30)], [(110, 60, 220), (20, 170, 110)]], float)


def match_colours(pairs: Sequence[tuple[int, int]], grid: int) -> tuple[Colours, Colours]:
    """Colours of the matched patches of both views, by position in the first view.

    A patch of the second view with several partners gets the mean of their colours.
    """
    if not pairs:
        return {}, {}
    rows, columns = np.divmod([a for a, _ in pairs], grid)
    mixed = _bilinear(_share(rows), _share(columns))
    second: dict[int, list[NDArray[np.float64]]] = defaultdict(list)
    for (_, b), colour in zip(pairs, mixed, strict=True):
        second[b].append(colour)
    return (
        {a: _rgb(colour) for (a, _), colour in zip(pairs, mixed, strict=True)},
        {b: _rgb(np.mean(parts, axis=0)) for b, parts in second.items()},
    )


def spread_out(
    pairs: Sequence[tuple[int, int]], grid: int, most: int = _LINKS
) -> list[tuple[int, int]]:
    """Selects up to `most` pairs that are far from each other in the first view."""
    if not pairs:
        return []
    positions = np.stack(np.divmod([a for a, _ in pairs], grid), axis=1).astype(float)
    chosen = [0]
    distance = np.linalg.norm(positions - positions[0], axis=1)
    while len(chosen) < min(most, len(pairs)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(positions - positions[chosen[-1]], axis=1))
    return [pairs[index] for index in chosen]


def _share(values: NDArray[np.int64]) -> NDArray[np.float64]:
    """Scales values to [0, 1] by their minimum and maximum."""
    shares: NDArray[np.float64] = (values - values.min()) / max(1, int(np.ptp(values)))
    return shares


def _bilinear(down: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolates the colours of the four corners [N, 3]."""
    y, x = down[:, None], right[:, None]
    top = (1 - x) * _CORNERS[0, 0] + x * _CORNERS[0, 1]
    bottom = (1 - x) * _CORNERS[1, 0] + x * _CORNERS[1, 1]
    mixed: NDArray[np.float64] = (1 - y) * top + y * bottom
    return mixed


def _rgb(colour: NDArray[np.float64]) -> Colour:
    red, green, blue = (int(value) for value in colour.round())
    return red, green, blue
