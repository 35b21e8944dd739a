"""What stands in a picture of the demo data: objects, background, light and lens.

A `Scene` is plain data, so a picture can be taken again with one thing changed (another light,
another viewpoint) and everything else the same.
"""

from dataclasses import dataclass

from lowlabel.datasets.demo.colours import Colour, Palette
from lowlabel.datasets.demo.fields import Pose


@dataclass(frozen=True)
class Item:
    """An object in a picture.

    Attributes:
        shape: A name in `SHAPES`.
        texture: A name in `TEXTURES`.
        palette: Main and accent colour, 0 to 1.
        pose: Where it lies.
        seed: What sets the phase and the grains of its texture.
        relief: How much its lit side is brighter than its far side, 0 to 1.
        shadow: How dark the shadow it throws is, 0 (none) to 1.
    """

    shape: str
    texture: str
    palette: Palette
    pose: Pose
    seed: int = 0
    relief: float = 0.0
    shadow: float = 0.0


@dataclass(frozen=True)
class Backdrop:
    """A gradient between two colours with a soft pattern.

    Attributes:
        near: Colour where the gradient begins.
        far: Colour where it ends.
        angle: Direction of the gradient, in radians.
        mottle: Strength of its smooth noise, 0 to 1.
        scale: Noise blobs across the picture.
        stripes: Strength of its faint stripes, 0 to 1.
        seed: What sets the noise.
    """

    near: Colour
    far: Colour
    angle: float = 0.0
    mottle: float = 0.0
    scale: float = 3.0
    stripes: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Light:
    """How the picture is lit.

    Attributes:
        gain: Brightness factor.
        contrast: Factor on the distance from middle grey.
        cast: Factors on red, green and blue.
        angle: Where the light comes from, in radians anticlockwise from the right.
        falloff: How much the picture darkens away from the light, 0 to 1.
    """

    gain: float = 1.0
    contrast: float = 1.0
    cast: Colour = (1.0, 1.0, 1.0)
    angle: float = 2.0
    falloff: float = 0.0


@dataclass(frozen=True)
class Lens:
    """What the camera adds.

    Attributes:
        blur: Passes of a 3 × 3 binomial blur.
        noise: Amplitude of the noise of each pixel and channel, 0 to 1.
        seed: What sets the noise.
    """

    blur: int = 0
    noise: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Scene:
    """A picture before it is taken; of `items`, later ones cover earlier ones."""

    backdrop: Backdrop
    items: tuple[Item, ...]
    light: Light = Light()
    lens: Lens = Lens()
