"""The places of `demo-landmarks`, and new views of them that are easy, hard or junk."""

import math
from dataclasses import replace

from lowlabel.datasets.demo.classes import demo_classes
from lowlabel.datasets.demo.colours import PALETTES
from lowlabel.datasets.demo.compose import backdrop, distractor, lens, light, occluder
from lowlabel.datasets.demo.draws import Draws
from lowlabel.datasets.demo.fields import Pose
from lowlabel.datasets.demo.scene import Item, Light, Scene

_SEEDS = 2**31
_OBJECTS = ((0.0, 0.16, 0.44), (-0.42, -0.3, 0.3), (0.4, -0.34, 0.28))  # x, y, radius


def place(number: int, draws: Draws) -> Scene:
    """Draws a landmark: three objects of different classes that stand together."""
    kinds = demo_classes()
    palette = PALETTES[draws.choice(tuple(PALETTES))]
    items = []
    for index, (x, y, radius) in enumerate(_OBJECTS):
        kind = kinds[(13 * number + 31 * index + draws.integer(7)) % len(kinds)]
        pose = Pose(x, y, radius, angle=draws.uniform(-0.3, 0.3), stretch=draws.ratio(1.1))
        items.append(
            Item(kind.shape, kind.texture, palette, pose, draws.integer(_SEEDS), 0.15, 0.3)
        )
    return Scene(backdrop(draws, draws.uniform()), tuple(items))


def easy(scene: Scene, draws: Draws) -> Scene:
    """Views the place from about the same position, in another light."""
    moved = _moved(scene, draws, scale=draws.ratio(1.15), shift=0.12, turn=0.08)
    day = Light(draws.ratio(1.15), draws.uniform(0.85, 1.05), angle=draws.uniform(0.5, 2.6))
    return replace(moved, light=day, lens=lens(draws))


def hard(scene: Scene, draws: Draws) -> Scene:
    """Views the place from near or far, rotated, in dim light and partly covered."""
    scale = draws.uniform(1.5, 2.0) if draws.chance(0.5) else draws.uniform(0.4, 0.6)
    moved = _moved(scene, draws, scale, shift=0.3, turn=0.35)
    dusk = replace(light(draws), gain=draws.uniform(0.45, 0.8), falloff=0.5)
    before = occluder(moved.items[draws.integer(len(moved.items))].pose, draws, draws.uniform())
    blurred = replace(lens(draws), blur=draws.choice((0, 1, 2)))
    return replace(moved, items=(*moved.items, before), light=dusk, lens=blurred)


def junk(scene: Scene, draws: Draws) -> Scene:
    """Views the place from so far away, and so covered, that it need not be recognised."""
    moved = _moved(scene, draws, scale=draws.uniform(0.14, 0.2), shift=0.6, turn=0.2)
    before = [occluder(item.pose, draws, draws.uniform()) for item in moved.items]
    clutter = [distractor(draws, draws.uniform()) for _ in range(4)]
    return replace(moved, items=(*clutter, *moved.items, *before), light=light(draws))


def _moved(scene: Scene, draws: Draws, scale: float, shift: float, turn: float) -> Scene:
    """Scales, rotates and shifts all objects together, before another background."""
    angle = draws.uniform(-turn, turn)
    x, y = draws.uniform(-shift, shift), draws.uniform(-shift, shift)
    tilt = (draws.uniform(-0.1, 0.1), draws.uniform(-0.1, 0.1))
    items = tuple(_moved_item(item, scale, angle, x, y, tilt) for item in scene.items)
    sky = replace(scene.backdrop, seed=draws.integer(_SEEDS), mottle=draws.uniform(0.0, 0.3))
    return replace(scene, items=items, backdrop=sky)


def _moved_item(
    item: Item, scale: float, angle: float, x: float, y: float, tilt: tuple[float, float]
) -> Item:
    pose, cos, sin = item.pose, math.cos(angle), math.sin(angle)
    return replace(
        item,
        pose=replace(
            pose,
            x=scale * (cos * pose.x - sin * pose.y) + x,
            y=scale * (sin * pose.x + cos * pose.y) + y,
            radius=scale * pose.radius,
            angle=pose.angle + angle,
            tilt=tilt,
        ),
    )
