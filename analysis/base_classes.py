"""Which base classes Distribution Calibration borrows from for each novel class, by model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

_SIDE, _GAP, _MARGIN, _CAPTION, _HEADER = 128, 8, 24, 40, 32
_APART = 32
_PAPER, _INK, _FAINT = (255, 255, 255), (40, 40, 40), (120, 120, 120)

ReadImage = Callable[[str], Image.Image]


@dataclass(frozen=True)
class BaseClassChoices:
    """What one model chose.

    Attributes:
        model: Its name.
        novel: Names of the novel classes.
        base: Names of the base classes.
        shares: Part of a novel class's images that borrow from each base class, [novel, base]; with
            k neighbours a row sums to k.
    """

    model: str
    novel: tuple[str, ...]
    base: tuple[str, ...]
    shares: NDArray[np.float64]

    @classmethod
    def count(
        cls,
        model: str,
        chosen: NDArray[np.int64],
        labels: NDArray[np.int64],
        novel: tuple[str, ...],
        base: tuple[str, ...],
    ) -> "BaseClassChoices":
        """Counts the choices [N, k] of images of the classes `labels` [N], both as places."""
        counts = np.zeros((len(novel), len(base)))
        np.add.at(counts, (labels[:, None], chosen), 1)
        images = np.bincount(labels, minlength=len(novel))
        return cls(model, novel, base, counts / np.maximum(1, images)[:, None])

    def most(self, novel: int, top: int) -> list[int]:
        """The base classes that a novel class borrows from most often, at most `top`."""
        order = np.argsort(-self.shares[novel], kind="stable")[:top]
        return [int(place) for place in order if self.shares[novel, place] > 0]


def tabulate_choices(models: Sequence[BaseClassChoices]) -> pd.DataFrame:
    """Every choice that was made, the most frequent of a novel class first."""
    rows = [
        {
            "model": choices.model,
            "novel class": name,
            "base class": choices.base[place],
            "images, %": round(100 * choices.shares[novel, place], 2),
        }
        for choices in models
        for novel, name in enumerate(choices.novel)
        for place in choices.most(novel, len(choices.base))
    ]
    return pd.DataFrame(rows, columns=["model", "novel class", "base class", "images, %"])


def draw_choices(
    models: Sequence[BaseClassChoices],
    shown: Sequence[int],
    examples: dict[str, str],
    read: ReadImage,
    top: int = 3,
) -> Image.Image:
    """A row for each novel class: an image of it, and of the base classes that each model chose.

    Args:
        models: What each model chose; all have the same classes.
        shown: Places of the novel classes to show.
        examples: An image for each novel and base class, by the class's name.
        read: Opens an image.
        top: Base classes to show for each model.

    Returns:
        An RGB picture.
    """
    lefts = [_MARGIN + _SIDE + _GAP]
    for _ in models:
        lefts.append(lefts[-1] + _APART + top * (_SIDE + _GAP))
    starts = [left + _APART for left in lefts[:-1]]
    height = _HEADER + len(shown) * (_SIDE + _CAPTION) + _MARGIN
    canvas = Image.new("RGB", (lefts[-1] + _MARGIN, height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((_MARGIN, 10), "novel class", _INK, ImageFont.load_default(15))
    for choices, left in zip(models, starts, strict=True):
        draw.text((left, 10), f"{choices.model} borrows from", _INK, ImageFont.load_default(15))
    for row, novel in enumerate(shown):
        y = _HEADER + row * (_SIDE + _CAPTION)
        name = models[0].novel[novel]
        _tile(canvas, (_MARGIN, y), read(examples[name]), name, "")
        for choices, left in zip(models, starts, strict=True):
            for column, place in enumerate(choices.most(novel, top)):
                share = f"{100 * choices.shares[novel, place]:.0f} % of its images"
                base = choices.base[place]
                x = left + column * (_SIDE + _GAP)
                _tile(canvas, (x, y), read(examples[base]), base, share)
    return canvas


def typical_rows(features: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[int, int]:
    """For each class the row nearest to the class's mean."""
    rows = {}
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        apart = features[members] - features[members].mean(0)
        rows[int(label)] = int(members[np.square(apart).sum(1).argmin()])
    return rows


def _tile(
    canvas: Image.Image, place: tuple[int, int], picture: Image.Image, name: str, note: str
) -> None:
    """A square picture with its name and a note under it."""
    canvas.paste(ImageOps.fit(picture.convert("RGB"), (_SIDE, _SIDE)), place)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(12)
    while draw.textlength(name, font) > _SIDE and len(name) > 1:
        name = f"{name.rstrip('…')[:-1]}…"
    x, y = place
    draw.text((x, y + _SIDE + 2), name, _INK, font)
    draw.text((x, y + _SIDE + 17), note, _FAINT, font)
