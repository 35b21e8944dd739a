"""The 100 classes of `demo`, each a combination of a shape, a texture and a palette."""

from dataclasses import dataclass
from typing import Literal

from lowlabel.datasets.demo.colours import PALETTES
from lowlabel.datasets.demo.shapes import SHAPES
from lowlabel.datasets.demo.textures import TEXTURES

Part = Literal["base", "val", "novel"]

_VARIANTS = 5  # classes per shape
_VAL_SHAPES = 8
_CLUTTER_ONLY = frozenset({"disc", "plain"})


@dataclass(frozen=True)
class DemoClass:
    """A class of objects; no two share both shape and texture, so colour alone never decides.

    Attributes:
        index: Position among the 100 classes; seeds the images.
        shape: Name in `SHAPES`.
        texture: Name in `TEXTURES`.
        palette: Name in `PALETTES`.
        part: "base" (64 classes), "val" (16) or "novel" (20).
    """

    index: int
    shape: str
    texture: str
    palette: str
    part: Part

    @property
    def name(self) -> str:
        """Such as "star-dots-amber"."""
        return f"{self.shape}-{self.texture}-{self.palette}"


def demo_classes() -> list[DemoClass]:
    """Returns all classes in the order of their index.

    Each of the 20 shapes has five classes: two pairs that share a palette and differ in texture,
    and a fifth. "novel" and "val" take the first pairs of alternate shapes, in five palettes each:
    every novel class shares its palette with three others, one of them of the same shape. Every
    shape, texture and palette also occurs in "base", so only their combination is new.
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
            part=_part(row, variant),
        )
        for row, shape in enumerate(shapes)
        for variant in range(_VARIANTS)
    ]


def _part(row: int, variant: int) -> Part:
    if variant >= 2:
        return "base"
    if row % 2 == 0:
        return "novel"
    return "val" if row < 2 * _VAL_SHAPES else "base"
