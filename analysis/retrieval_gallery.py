"""A picture of queries with the images that a search found."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont, ImageOps

_SIDE, _GAP, _MARGIN, _FRAME = 128, 10, 20, 5
_TEXT, _LINE = 4, 15  # of captions: space below the last line, and height of a line
_LEAST_LINES = 2
_PAPER, _INK, _FAINT = (255, 255, 255), (40, 40, 40), (120, 120, 120)
_RIGHT, _WRONG, _NEUTRAL = (46, 139, 87), (205, 55, 50), (150, 150, 150)
_MAX_LETTERS = 21  # of a caption's line


@dataclass(frozen=True)
class Tile:
    """An image with its caption.

    Attributes:
        picture: The image.
        caption: Lines below the image.
        right: Whether the image has the query's class; None if that is not known.
    """

    picture: Image.Image
    caption: tuple[str, ...] = ()
    right: bool | None = None


def draw_gallery(rows: Sequence[tuple[Tile, Sequence[Tile]]]) -> Image.Image:
    """Draws a row for each query: the query at the left, then the images found, nearest first.

    Right images have a green frame, wrong images a red frame with a cross in its corner. Frames are
    grey if the query's class is not known.

    Args:
        rows: Queries, each with the images found.

    Returns:
        An RGB picture.
    """
    columns = max((len(found) for _, found in rows), default=0)
    captions = [len(tile.caption) for query, found in rows for tile in (query, *found)]
    text = _TEXT + _LINE * max((_LEAST_LINES, *captions))
    step, height = _SIDE + _GAP, _SIDE + text + _GAP
    width = 2 * _MARGIN + _SIDE + 3 * _GAP + columns * step
    canvas = Image.new("RGB", (width, 2 * _MARGIN + len(rows) * height), _PAPER)
    for number, (query, found) in enumerate(rows):
        top = _MARGIN + number * height
        _draw_tile(canvas, query, _MARGIN, top, frame=None)
        for column, tile in enumerate(found):
            left = _MARGIN + _SIDE + 3 * _GAP + column * step
            frame = {True: _RIGHT, False: _WRONG, None: _NEUTRAL}[tile.right]
            _draw_tile(canvas, tile, left, top, frame)
    return canvas


def _draw_tile(
    canvas: Image.Image, tile: Tile, left: int, top: int, frame: tuple[int, int, int] | None
) -> None:
    draw = ImageDraw.Draw(canvas)
    inner = _SIDE - 2 * _FRAME if frame else _SIDE
    picture = ImageOps.contain(
        tile.picture.convert("RGB"), (inner, inner), Image.Resampling.LANCZOS
    )
    if frame:
        draw.rectangle((left, top, left + _SIDE - 1, top + _SIDE - 1), fill=frame)
        edge = left + _FRAME, top + _FRAME
        draw.rectangle((*edge, edge[0] + inner - 1, edge[1] + inner - 1), fill=_PAPER)
    middle = left + (_SIDE - picture.width) // 2, top + (_SIDE - picture.height) // 2
    canvas.paste(picture, middle)
    if tile.right is False:
        _cross(draw, left + _SIDE - 11, top + 11)
    for line, text in enumerate(tile.caption):
        short = text if len(text) <= _MAX_LETTERS else text[: _MAX_LETTERS - 1] + "…"
        ink = _FAINT if line else _INK
        draw.text((left, top + _SIDE + 3 + _LINE * line), short, ink, ImageFont.load_default(11))


def _cross(draw: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """Marks a wrong image without relying on colour."""
    draw.circle((x, y), 9, fill=_WRONG)
    for slope in (1, -1):
        draw.line((x - 4, y - 4 * slope, x + 4, y + 4 * slope), fill=_PAPER, width=2)
