"""A picture of two views of an image, with the patches that show the same part of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lowlabel.analysis.matched_colours import Colour, Colours, match_colours, spread_out
from lowlabel.errors import InputError

Drawing = Literal["arcs", "lines", "colours"]
Point = tuple[float, float]

_SIDE, _GAP, _MARGIN, _HEADER = 448, 56, 24, 40
_OPACITY = 0.5
_NUMBER = 0.34  # height of a patch's number as a share of its side
_PAPER, _INK, _GRID = (255, 255, 255), (40, 40, 40), (255, 255, 255)
_VIEW_COLOURS = ((214, 69, 65), (31, 119, 180))


@dataclass(frozen=True)
class PatchedView:
    """A view of an image, divided into the patches of a vision transformer.

    Attributes:
        picture: The square view.
        box: Left, top, right and bottom of the view in the source image, in pixels.
        grid: Number of patches per side.
        mirrored: Whether the view is mirrored left to right.
        share: Side of its drawing, as a share of the side of a global view's.
    """

    picture: Image.Image
    box: tuple[int, int, int, int]
    grid: int
    mirrored: bool = False
    share: float = 1.0


def draw_matches(
    source: Image.Image,
    views: tuple[PatchedView, PatchedView],
    pairs: Sequence[tuple[int, int]],
    drawing: Drawing = "arcs",
    numbered: bool = False,
    first: int = 0,
) -> Image.Image:
    """Draws the source with both crops, and both views with their matched patches.

    Patches without a partner are faded.

    Args:
        source: The source image.
        views: Two views of the image.
        pairs: Matched patches of the first and the second view, numbered row by row from 0.
        drawing: "arcs" tints matched patches in the same colour and joins up to twelve pairs,
            "colours" tints them only, "lines" joins every pair and tints none.
        numbered: Whether each patch shows its number.
        first: The number that the first patch shows.

    Returns:
        An RGB picture.

    Raises:
        InputError: If a pair names a patch that a view does not have.
    """
    _check_pairs(views, pairs)
    colours = match_colours(pairs, views[0].grid)
    opacity = 0.0 if drawing == "lines" else _OPACITY
    tiles = [_crops(source, views)]
    tiles += [_tile(view, each, opacity) for view, each in zip(views, colours, strict=True)]
    for view, tile in zip(views, tiles[1:], strict=True):
        if numbered:
            _number(tile, view, first)
    font = ImageFont.load_default(17)
    titles = ["image", *_titles(views, pairs)]
    widths = [
        max(tile.width, round(font.getlength(title)))
        for tile, title in zip(tiles, titles, strict=True)
    ]
    lefts = np.cumsum([_MARGIN, *(width + _GAP for width in widths)]).tolist()
    height = _HEADER + max(tile.height for tile in tiles) + _MARGIN
    canvas = Image.new("RGB", (lefts[-1] - _GAP + _MARGIN, height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    inks = (_INK, *_VIEW_COLOURS)
    for tile, left, title, ink in zip(tiles, lefts[:-1], titles, inks, strict=True):
        canvas.paste(tile, (left, _HEADER))
        draw.text((left, _HEADER - 26), title, ink, font)
    starts, ends = (_centres(view, left) for view, left in zip(views, lefts[1:3], strict=True))
    if drawing != "colours":
        straight = drawing == "lines"
        chosen = pairs if straight else spread_out(pairs, views[0].grid)
        _link(canvas, [(starts[a], ends[b], colours[0][a]) for a, b in chosen], straight)
    return canvas


def _check_pairs(views: tuple[PatchedView, PatchedView], pairs: Sequence[tuple[int, int]]) -> None:
    for number, view in enumerate(views):
        largest = max((pair[number] for pair in pairs), default=0)
        if largest >= view.grid**2:
            raise InputError(
                f"view {number + 1} has no patch {largest}: it has {view.grid**2} patches"
            )


def _titles(views: tuple[PatchedView, PatchedView], pairs: Sequence[tuple[int, int]]) -> list[str]:
    """What stands above each view."""
    return [
        f"view {number + 1}{' (mirrored)' if view.mirrored else ''}: "
        f"{len({pair[number] for pair in pairs})} of {view.grid**2} patches matched"
        for number, view in enumerate(views)
    ]


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


def _tile(view: PatchedView, colours: Colours, opacity: float) -> Image.Image:
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
        result[area] = (1 - opacity) * pixels[area] + opacity * np.array(colour)
    result[::cell] = result[:, ::cell] = _GRID
    return Image.fromarray(result.round().astype(np.uint8))


def _number(tile: Image.Image, view: PatchedView, first: int) -> None:
    """Writes the number of each patch into its corner."""
    draw, cell = ImageDraw.Draw(tile), _cell(view)
    font = ImageFont.load_default(max(6, round(_NUMBER * cell)))
    for patch in range(view.grid**2):
        row, column = divmod(patch, view.grid)
        centre = (column + 0.5) * cell, (row + 0.5) * cell
        draw.text(centre, str(patch + first), _PAPER, font, "mm", stroke_width=1, stroke_fill=_INK)


def _link(
    canvas: Image.Image, links: Sequence[tuple[Point, Point, Colour]], straight: bool = False
) -> None:
    """Draws arcs or thin lines between points, at twice the size for smooth edges."""
    layer = Image.new("RGBA", (2 * canvas.width, 2 * canvas.height))
    draw = ImageDraw.Draw(layer)
    for start, end, colour in links:
        if straight:
            draw.line([(2 * x, 2 * y) for x, y in (start, end)], fill=colour, width=2)
            continue
        arc = _arc(start, end, canvas.height / 2)
        draw.line(arc, fill=_PAPER, width=9, joint="curve")
        draw.line(arc, fill=colour, width=5, joint="curve")
    for start, end, colour in links:
        for x, y in (start, end):
            radius, edge = (5, 1) if straight else (12, 4)
            draw.circle((2 * x, 2 * y), radius, fill=colour, outline=_PAPER, width=edge)
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
    return max(1, round(_SIDE * view.share / view.grid))


def _centres(view: PatchedView, left: int) -> list[Point]:
    """Centres of a view's patches on the canvas."""
    cell = _cell(view)
    steps = [(index + 0.5) * cell for index in range(view.grid)]
    return [(left + x, _HEADER + y) for y in steps for x in steps]
