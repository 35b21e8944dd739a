"""The hundred classes of the demo data: which shape, texture and palette makes which class."""

from dataclasses import dataclass
from typing import Literal

from lowlabel.datasets.demo.colours import PALETTES
from lowlabel.datasets.demo.shapes import SHAPES
from lowlabel.datasets.demo.textures import TEXTURES

Split = Literal["base", "val", "novel"]

_VARIANTS = 5  # classes per shape
_VAL_SHAPES = 8
_CLUTTER_ONLY = frozenset({"disc", "plain"})


@dataclass(frozen=True)
class DemoClass:
    """A kind of object; no two share both shape and texture, so colour alone never decides.

    Attributes:
        index: Its place among the hundred, which seeds its images.
        shape: A name in `SHAPES`.
        texture: A name in `TEXTURES`.
        palette: A name in `PALETTES`.
        split: "base" (64 classes), "val" (16) or "novel" (20).
    """

    index: int
    shape: str
    texture: str
    palette: str
    split: Split

    @property
    def name(self) -> str:
        """Such as "star-dots-amber"."""
        return f"{self.shape}-{self.texture}-{self.palette}"


def demo_classes() -> list[DemoClass]:
    """All classes in order of their index.

    Each of 20 shapes makes five classes: two pairs that share the palette and differ in texture,
    and a fifth. "novel" and "val" are the first pairs of alternate shapes, in five palettes each:
    a novel class has three others of its colours, one of them of its shape. Every shape, texture
    and palette is also found in "base", so that only their combination is new.
    """
    shapes = [name for name in SHAPES if name not in _CLUTTER_ONLY]
    textures = [name for name in TEXTURES if name not in _CLUTTER_ONLY]
    palettes = list(PALETTES)
    return [
        DemoClass(
            index=row * _VARIANTS + variant,
            shape=shape,
            texture=textures[(3 * row + row // 10 + 2 * variant) % len(textures)],
            palette=palettes[(7 * row + 3 * (variant // 2)) % len(palettes)],
            split=_split(row, variant),
        )
        for row, shape in enumerate(shapes)
        for variant in range(_VARIANTS)
    ]


def _split(row: int, variant: int) -> Split:
    if variant >= 2:
        return "base"
    if row % 2 == 0:
        return "novel"
    return "val" if row < 2 * _VAL_SHAPES else "base"
