"""The base classes that Distribution Calibration borrows from, as a table and a picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

_SIDE, _GAP, _MARGIN, _CAPTION, _HEADER = 128, 8, 24, 40, 32
_MODEL_GAP = 32
_PAPER, _INK, _FAINT = (255, 255, 255), (40, 40, 40), (120, 120, 120)

ReadImage = Callable[[str], Image.Image]


@dataclass(frozen=True)
class BaseClassChoices:
    """The choices of one model.

    Attributes:
        model: Name of the model.
        novel: Names of the novel classes.
        base: Names of the base classes.
        shares: Fraction of a novel class's images that borrow from each base class, [novel, base].
            With k nearest base classes per image, each row sums to k.
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
        """Counts the choices of images.

        Args:
            model: Name of the model.
            chosen: Indices in `base` of the classes chosen for each image [N, k].
            labels: Index in `novel` of the class of each image [N].
            novel: Names of the novel classes.
            base: Names of the base classes.
        """
        counts = np.zeros((len(novel), len(base)))
        np.add.at(counts, (labels[:, None], chosen), 1)
        images = np.bincount(labels, minlength=len(novel))
        return cls(model, novel, base, counts / np.maximum(1, images)[:, None])

    def most(self, novel: int, top: int) -> list[int]:
        """Indices of the at most `top` base classes that a novel class borrows from most often."""
        order = np.argsort(-self.shares[novel], kind="stable")[:top]
        return [int(index) for index in order if self.shares[novel, index] > 0]


def tabulate_choices(models: Sequence[BaseClassChoices]) -> pd.DataFrame:
    """A row for each choice, the most frequent of each novel class first."""
    rows = [
        {
            "model": choices.model,
            "novel class": name,
            "base class": choices.base[index],
            "images, %": round(100 * choices.shares[novel, index], 2),
        }
        for choices in models
        for novel, name in enumerate(choices.novel)
        for index in choices.most(novel, len(choices.base))
    ]
    return pd.DataFrame(rows, columns=["model", "novel class", "base class", "images, %"])


def draw_choices(
    models: Sequence[BaseClassChoices],
    shown: Sequence[int],
    examples: dict[str, str],
    read: ReadImage,
    top: int = 3,
) -> Image.Image:
    """Draws a row for each novel class: its image, and images of the base classes of each model.

    Args:
        models: The choices of each model, over the same classes.
        shown: Indices of the novel classes to show.
        examples: Path of an image of each novel and base class, by the class's name.
        read: Function that opens an image.
        top: Number of base classes to show for each model.

    Returns:
        An RGB picture.
    """
    lefts = [_MARGIN + _SIDE + _GAP]
    for _ in models:
        lefts.append(lefts[-1] + _MODEL_GAP + top * (_SIDE + _GAP))
    starts = [left + _MODEL_GAP for left in lefts[:-1]]
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
            for column, index in enumerate(choices.most(novel, top)):
                share = f"{100 * choices.shares[novel, index]:.0f} % of its images"
                base = choices.base[index]
                x = left + column * (_SIDE + _GAP)
                _tile(canvas, (x, y), read(examples[base]), base, share)
    return canvas


def typical_rows(features: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[int, int]:
    """The row of each class that is nearest to the mean of the class."""
    rows = {}
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        offsets = features[members] - features[members].mean(0)
        rows[int(label)] = int(members[np.square(offsets).sum(1).argmin()])
    return rows


def _tile(
    canvas: Image.Image, corner: tuple[int, int], picture: Image.Image, name: str, note: str
) -> None:
    """Draws a square picture with its name and a note below."""
    canvas.paste(ImageOps.fit(picture.convert("RGB"), (_SIDE, _SIDE)), corner)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(12)
    while draw.textlength(name, font) > _SIDE and len(name) > 1:
        name = f"{name.rstrip('…')[:-1]}…"
    x, y = corner
    draw.text((x, y + _SIDE + 2), name, _INK, font)
    draw.text((x, y + _SIDE + 17), note, _FAINT, font)
