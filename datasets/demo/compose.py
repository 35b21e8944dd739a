"""Composes pictures of a class that differ in pose, light, scale, background and clutter."""

import math

from lowlabel.datasets.demo.classes import DemoClass
from lowlabel.datasets.demo.colours import PALETTES, Colour, muted, vary
from lowlabel.datasets.demo.draws import Draws
from lowlabel.datasets.demo.fields import Pose
from lowlabel.datasets.demo.scene import Backdrop, Item, Lens, Light, Scene

_SEEDS = 2**31
_CLUTTER = ("disc", "square", "leaf", "triangle")


def compose(kind: DemoClass, draws: Draws) -> Scene:
    """Composes a picture of a class: its object, clutter, a background and light."""
    main, accent = PALETTES[kind.palette]
    palette = (_varied(main, draws), _varied(accent, draws))
    hue = draws.uniform()  # of the background; independent of the class
    pose = _object_pose(draws)
    thing = Item(
        shape=kind.shape,
        texture=kind.texture,
        palette=palette,
        pose=pose,
        seed=draws.integer(_SEEDS),
        relief=draws.uniform(0.0, 0.3),
        shadow=draws.uniform(0.1, 0.5),
    )
    behind = [distractor(draws, hue) for _ in range(draws.integer(4))]
    before = [occluder(pose, draws, hue)] if draws.chance(0.4) else []
    return Scene(backdrop(draws, hue), (*behind, thing, *before), light(draws), lens(draws))


def _varied(colour: Colour, draws: Draws) -> Colour:
    return vary(colour, draws, hue=0.04, saturation=1.3, value=1.25)


def _object_pose(draws: Draws) -> Pose:
    radius = 0.74 * draws.ratio(1.35)
    room = 0.95 - 0.8 * radius
    return Pose(
        x=draws.uniform(-room, room),
        y=draws.uniform(-room, room),
        radius=radius,
        angle=draws.uniform(-0.35, 0.35),
        stretch=draws.ratio(1.15),
        shear=draws.uniform(-0.15, 0.15),
        tilt=(draws.uniform(-0.12, 0.12), draws.uniform(-0.12, 0.12)),
        mirrored=draws.chance(0.5),
    )


def distractor(draws: Draws, hue: float) -> Item:
    """Draws a small plain object anywhere in the picture."""
    return _plain(
        draws.choice(_CLUTTER),
        Pose(
            x=draws.uniform(-1.0, 1.0),
            y=draws.uniform(-1.0, 1.0),
            radius=draws.uniform(0.1, 0.26),
            angle=draws.uniform(0.0, 2.0 * math.pi),
            stretch=draws.ratio(1.5),
        ),
        draws,
        hue,
    )


def occluder(pose: Pose, draws: Draws, hue: float) -> Item:
    """Draws a plain object that covers part of the rim of the object in `pose`."""
    bearing = draws.uniform(0.0, 2.0 * math.pi)
    return _plain(
        draws.choice(_CLUTTER),
        Pose(
            x=pose.x + 0.85 * pose.radius * math.cos(bearing),
            y=pose.y + 0.85 * pose.radius * math.sin(bearing),
            radius=pose.radius * draws.uniform(0.3, 0.55),
            angle=draws.uniform(0.0, 2.0 * math.pi),
            stretch=draws.ratio(1.5),
        ),
        draws,
        hue,
    )


def _plain(shape: str, pose: Pose, draws: Draws, hue: float) -> Item:
    colour = muted(draws, draws.uniform() if draws.chance(0.5) else hue)
    return Item(shape, "plain", (colour, colour), pose, relief=0.15, shadow=draws.uniform(0.1, 0.4))


def backdrop(draws: Draws, hue: float) -> Backdrop:
    """Draws a muted background near the given hue."""
    near = muted(draws, hue)
    return Backdrop(
        near=near,
        far=vary(near, draws, hue=0.05, saturation=1.6, value=1.3),
        angle=draws.uniform(0.0, 2.0 * math.pi),
        mottle=draws.uniform(0.0, 0.3),
        scale=draws.uniform(2.0, 7.0),
        stripes=draws.uniform(0.05, 0.2) if draws.chance(0.25) else 0.0,
        seed=draws.integer(_SEEDS),
    )


def light(draws: Draws) -> Light:
    """Draws the light of a picture."""
    return Light(
        gain=draws.ratio(1.45),
        contrast=draws.uniform(0.65, 1.1),
        cast=(draws.ratio(1.22), draws.ratio(1.15), draws.ratio(1.22)),
        angle=draws.uniform(0.3, math.pi - 0.3),
        falloff=draws.uniform(0.0, 0.5),
    )


def lens(draws: Draws) -> Lens:
    """Draws a lens that is mostly sharp, with a little noise."""
    return Lens(
        blur=draws.choice((0, 0, 0, 1)),
        noise=draws.uniform(0.0, 0.04),
        seed=draws.integer(_SEEDS),
    )
