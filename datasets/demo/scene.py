"""Scenes of the demo data: objects, background, light and lens.

A `Scene` is plain data, so that it can be rendered again with one thing changed, such as the light
or the viewpoint, and everything else the same.
"""

from dataclasses import dataclass

from lowlabel.datasets.demo.colours import Colour, Palette
from lowlabel.datasets.demo.fields import Pose


@dataclass(frozen=True)
class Item:
    """An object in a picture.

    Attributes:
        shape: Name in `SHAPES`.
        texture: Name in `TEXTURES`.
        palette: Main and accent colour, 0 to 1.
        pose: Position and view.
        seed: Seed of the phase and the grains of the texture.
        relief: Extra brightness of the lit side over the far side, 0 to 1.
        shadow: Darkness of the shadow, 0 (none) to 1.
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
        near: Colour at the start of the gradient.
        far: Colour at its end.
        angle: Direction of the gradient, in radians.
        mottle: Strength of the smooth noise, 0 to 1.
        scale: Number of noise blobs across the picture.
        stripes: Strength of the stripes, 0 to 1.
        seed: Seed of the noise.
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
    """The light of a picture.

    Attributes:
        gain: Brightness factor.
        contrast: Factor on the distance from middle grey.
        cast: Factors on red, green and blue.
        angle: Direction that the light comes from, in radians anticlockwise from the right.
        falloff: Darkening of the side away from the light, 0 to 1.
    """

    gain: float = 1.0
    contrast: float = 1.0
    cast: Colour = (1.0, 1.0, 1.0)
    angle: float = 2.0
    falloff: float = 0.0


@dataclass(frozen=True)
class Lens:
    """Blur and noise of the camera.

    Attributes:
        blur: Number of passes of a 3 × 3 binomial blur.
        noise: Amplitude of the noise of each pixel and channel, 0 to 1.
        seed: Seed of the noise.
    """

    blur: int = 0
    noise: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Scene:
    """Everything in a picture; later `items` cover earlier ones."""

    backdrop: Backdrop
    items: tuple[Item, ...]
    light: Light = Light()
    lens: Lens = Lens()
