"""A picture of two views of an image, with the patches that show the same part of it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lowlabel.errors import InputError

Colour = tuple[int, int, int]
Colours = dict[int, Colour]
Point = tuple[float, float]

_SIDE, _GAP, _MARGIN, _HEADER = 448, 56, 24, 40
_LINKS = 12
_OPACITY = 0.5
_PAPER, _INK, _GRID = (255, 255, 255), (40, 40, 40), (255, 255, 255)
_VIEW_COLOURS = ((214, 69, 65), (31, 119, 180))
_CORNERS = np.array([[(235, 64, 52), (250, 200, 30)], [(110, 60, 220), (20, 170, 110)]], float)


@dataclass(frozen=True)
class PatchedView:
    """A view of an image, divided into the patches of a vision transformer.

    Attributes:
        picture: The square view.
        box: Left, top, right and bottom of the view in the source image, in pixels.
        grid: Number of patches per side.
        mirrored: Whether the view is mirrored left to right.
    """

    picture: Image.Image
    box: tuple[int, int, int, int]
    grid: int
    mirrored: bool = False


def draw_matches(
    source: Image.Image, views: tuple[PatchedView, PatchedView], pairs: Sequence[tuple[int, int]]
) -> Image.Image:
    """Draws the source with both crops, and both views with matched patches in the same colour.

    Patches without a partner are faded. Arcs join up to twelve pairs.

    Args:
        source: The source image.
        views: Two views of the image.
        pairs: Matched patches of the first and the second view, numbered row by row.

    Returns:
        An RGB picture.

    Raises:
        InputError: If a pair names a patch that a view does not have.
    """
    for number, view in enumerate(views):
        largest = max((pair[number] for pair in pairs), default=0)
        if largest >= view.grid**2:
            raise InputError(
                f"view {number + 1} has no patch {largest}: it has {view.grid**2} patches"
            )
    colours = match_colours(pairs, views[0].grid)
    tiles = [_crops(source, views), *(_tile(v, c) for v, c in zip(views, colours, strict=True))]
    lefts = np.cumsum([_MARGIN, *(tile.width + _GAP for tile in tiles)]).tolist()
    height = _HEADER + max(tile.height for tile in tiles) + _MARGIN
    canvas = Image.new("RGB", (lefts[-1] - _GAP + _MARGIN, height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    titles = ["image"] + [
        f"view {number + 1}{' (mirrored)' if view.mirrored else ''}: "
        f"{len({pair[number] for pair in pairs})} of {view.grid**2} patches matched"
        for number, view in enumerate(views)
    ]
    inks = (_INK, *_VIEW_COLOURS)
    for tile, left, title, ink in zip(tiles, lefts[:-1], titles, inks, strict=True):
        canvas.paste(tile, (left, _HEADER))
        draw.text((left, _HEADER - 26), title, ink, ImageFont.load_default(17))
    starts, ends = (_centres(view, left) for view, left in zip(views, lefts[1:3], strict=True))
    chosen = spread_out(pairs, views[0].grid)
    _link(canvas, [(starts[a], ends[b], colours[0][a]) for a, b in chosen])
    return canvas


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


def _crops(source: Image.Image, views: tuple[PatchedView, PatchedView]) -> Image.Image:
    """The source, scaled to the height of the views, with the outline of each crop."""
    scale = _SIDE / source.height
    width = max(1, round(source.width * scale))
    picture = source.convert("RGB").resize((width, _SIDE), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    for number, (view, colour) in enumerate(zip(views, _VIEW_COLOURS, strict=True), 1):
        left, top, right, bottom = (round(edge * scale) for edge in view.box)
        box = (left, top, min(right, width) - 1, min(bottom, _SIDE) - 1)
        draw.rectangle(box, outline=_PAPER, width=5)
        draw.rectangle(box, outline=colour, width=3)
        corner = (left + 3, top + 3) if number == 1 else (box[2] - 27, box[3] - 27)
        draw.rectangle((*corner, corner[0] + 24, corner[1] + 24), fill=colour)
        centre = corner[0] + 12, corner[1] + 12
        draw.text(centre, str(number), _PAPER, ImageFont.load_default(17), anchor="mm")
    return picture


def _tile(view: PatchedView, colours: Colours) -> Image.Image:
    """The view, with matched patches tinted and other patches faded."""
    cell = _cell(view)
    side = view.grid * cell
    shown = view.picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    pixels = np.asarray(shown, float)
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    result = np.repeat(0.35 * grey[:, :, None] + 0.65 * 255, 3, axis=2)
    for patch, colour in colours.items():
        row, column = divmod(patch, view.grid)
        area = np.s_[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
        result[area] = (1 - _OPACITY) * pixels[area] + _OPACITY * np.array(colour)
    result[::cell] = result[:, ::cell] = _GRID
    return Image.fromarray(result.round().astype(np.uint8))


def _link(canvas: Image.Image, links: Sequence[tuple[Point, Point, Colour]]) -> None:
    """Draws arcs between points, at twice the size for smooth edges."""
    layer = Image.new("RGBA", (2 * canvas.width, 2 * canvas.height))
    draw = ImageDraw.Draw(layer)
    for start, end, colour in links:
        arc = _arc(start, end, canvas.height / 2)
        draw.line(arc, fill=_PAPER, width=9, joint="curve")
        draw.line(arc, fill=colour, width=5, joint="curve")
    for start, end, colour in links:
        for x, y in (start, end):
            draw.circle((2 * x, 2 * y), 12, fill=colour, outline=_PAPER, width=4)
    smooth = layer.resize(canvas.size, Image.Resampling.LANCZOS)
    canvas.paste(smooth, mask=smooth)


def _arc(start: Point, end: Point, middle: float) -> list[Point]:
    """Points of an arc that bends towards the middle of the canvas, at twice the size.

    The bend grows with the distance, which separates arcs of the same height.
    """
    t = np.linspace(0, 1, 40)
    height = (start[1] + end[1]) / 2
    bend = 0.12 * abs(end[0] - start[0]) * (1 if height < middle else -1)
    x = (1 - t) * start[0] + t * end[0]
    y = (1 - t) * start[1] + t * end[1] + 4 * t * (1 - t) * bend
    return [(float(2 * u), float(2 * v)) for u, v in zip(x, y, strict=True)]


def _cell(view: PatchedView) -> int:
    return max(1, round(_SIDE / view.grid))


def _centres(view: PatchedView, left: int) -> list[Point]:
    """Centres of a view's patches on the canvas."""
    cell = _cell(view)
    steps = [(index + 0.5) * cell for index in range(view.grid)]
    return [(left + x, _HEADER + y) for y in steps for x in steps]


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
