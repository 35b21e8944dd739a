"""A picture of the class attention and the patch tokens of several models on several images."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from lowlabel.analysis.attention.mass import mass_mask
from lowlabel.analysis.attention.placement import Placement
from lowlabel.analysis.attention.see import Seen
from lowlabel.analysis.attention.tiles import colour_tile, heat_tile, mask_tile

MOST_PIXELS = 2**25  # of a picture; larger images are drawn smaller
_COLUMNS = 8
_SMALLEST = 160  # longest side of a drawn image in pixels
_GAP, _MARGIN, _TITLE, _CAPTION = 8, 24, 34, 22
_PAPER, _INK, _FAINT = (255, 255, 255), (40, 40, 40), (120, 120, 120)


@dataclass(frozen=True)
class Pictured:
    """An image with what models see in it.

    Attributes:
        title: Its name in the picture.
        size: Width and height in pixels.
        read: Opens it in RGB; called when it is drawn.
        seen: What each model sees in it.
    """

    title: str
    size: tuple[int, int]
    read: Callable[[], Image.Image]
    seen: Sequence[Seen]


class Sheet(NamedTuple):
    """A picture, and the factor from the images' own resolution to the picture's."""

    picture: Image.Image
    scales: tuple[float, ...]


class _Tile(NamedTuple):
    picture: Image.Image
    caption: str


def draw_sheet(images: Sequence[Pictured], threshold: float = 0.6) -> Sheet:
    """Draws a row for each image and model.

    It holds the image, its patch colours, the mean attention, its mask, and the attention of each
    head, with a line around the patches that hold most of it. Overlays are made at the image's own
    resolution. Small images are drawn larger by a whole factor, and all are drawn smaller where
    the picture would exceed 2²⁵ pixels.

    Args:
        images: The images.
        threshold: Share of the attention in the mask; see `mass_mask`.
    """
    scales = _scales(images)
    sizes = [
        _row_size(image.size, seen.tiles, scale)
        for image, scale in zip(images, scales, strict=True)
        for seen in image.seen
    ]
    width = max(size[0] for size in sizes) + 2 * _MARGIN
    canvas = Image.new("RGB", (width, sum(size[1] for size in sizes) + _MARGIN), _PAPER)
    draw, font, top = ImageDraw.Draw(canvas), ImageFont.load_default(15), 0
    for image, scale in zip(images, scales, strict=True):
        picture = image.read()
        for seen in image.seen:
            draw.text((_MARGIN, top + 12), _title(image.title, seen), _INK, font)
            tiles = _tiles(picture, seen, threshold)
            _draw_row(canvas, top + _TITLE, tiles, image.size, scale)
            top += _row_size(image.size, seen.tiles, scale)[1]
    return Sheet(canvas, tuple(scales))


def _title(image: str, seen: Seen) -> str:
    block = "" if seen.attention is None else f", {seen.attention.block}"
    return f"{image} · {seen.model}{block}"


def _tiles(image: Image.Image, seen: Seen, threshold: float) -> Iterator[_Tile]:
    yield _Tile(image, "image")
    if seen.colours is not None:
        grid = seen.colours.shape[0], seen.colours.shape[1]
        placed = Placement.of(image.size, seen.region, grid, seen.extent)
        yield _Tile(colour_tile(image, seen.colours, placed), "patches, PCA")
    if seen.attention is None:
        return
    attention = seen.attention
    placed = Placement.of(image.size, seen.region, attention.grid, attention.extent)
    mask = mass_mask(attention.mean, threshold)
    yield _Tile(heat_tile(image, attention.mean, mask, placed), "mean of heads")
    yield _Tile(mask_tile(image, mask, placed), f"{100 * threshold:g} % of the mean")
    masks = mass_mask(attention.patches, threshold)
    for head, (weights, kept) in enumerate(zip(attention.patches, masks, strict=True)):
        caption = f"head {head}: {100 * weights.sum():.0f} % on patches"
        yield _Tile(heat_tile(image, weights, kept, placed), caption)


def _draw_row(
    canvas: Image.Image, top: int, tiles: Iterator[_Tile], size: tuple[int, int], scale: float
) -> None:
    width, height = _drawn(size, scale)
    step = _step(width), height + _CAPTION + _GAP
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, _COLUMNS)
        corner = _MARGIN + column * step[0], top + row * step[1]
        method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
        shown = tile.picture if scale == 1 else tile.picture.resize((width, height), method)
        canvas.paste(shown, corner)
        draw.text((corner[0], corner[1] + height + 3), tile.caption, _FAINT, font)


def _row_size(size: tuple[int, int], tiles: int, scale: float) -> tuple[int, int]:
    width, height = _drawn(size, scale)
    rows = math.ceil(tiles / _COLUMNS)
    across = min(tiles, _COLUMNS) * _step(width)
    return across, _TITLE + rows * (height + _CAPTION + _GAP)


def _step(width: int) -> int:
    return max(width, _SMALLEST) + _GAP  # captions need their space


def _drawn(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _scales(images: Sequence[Pictured]) -> list[float]:
    """The factor of each image: whole where it is enlarged, at most 1 where pixels are many."""
    pixels = sum(
        image.size[0] * image.size[1] * _COLUMNS * math.ceil(seen.tiles / _COLUMNS)
        for image in images
        for seen in image.seen
    )
    reduced = min(1.0, math.sqrt(MOST_PIXELS / pixels))
    enlarged = [math.ceil(_SMALLEST / max(image.size)) for image in images]
    return [float(factor) if factor > 1 else reduced for factor in enlarged]
