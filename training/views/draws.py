"""Random draws for the views of an image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lowlabel.features.views.crop import draw_box
from lowlabel.training.views.geometry import CropGeometry
from lowlabel.training.views.recipe import GLOBAL_CROPS, ViewRecipe

JITTERS = ("brightness", "contrast", "saturation", "hue")


@dataclass(frozen=True)
class ViewDraw:
    """The draws of one view.

    Attributes:
        crop: The crop, and whether the view is mirrored.
        jitter: Names in `JITTERS` with their factors, in the order of application.
        grayscale: Whether the view is grey.
        blur: Standard deviation of the Gaussian blur in pixels; 0 for none.
        solarize: Whether the view is solarized.
    """

    crop: CropGeometry
    jitter: tuple[tuple[str, float], ...] = ()
    grayscale: bool = False
    blur: float = 0.0
    solarize: bool = False


def draw_views(
    recipe: ViewRecipe,
    source: tuple[int, int],
    seed: Sequence[int],
    crop_seed: Sequence[int] | None = None,
) -> list[ViewDraw]:
    """Draws the views of an image. The same seeds give the same views.

    Args:
        recipe: How to make the views.
        source: Width and height of the image in pixels.
        seed: Seed of the draws of this image.
        crop_seed: Seed of crops and flips if a batch shares them; None uses `seed`.
    """
    random = np.random.default_rng(seed)
    crop_random = random if crop_seed is None else np.random.default_rng(crop_seed)
    draws = []
    for number, size in enumerate(recipe.sizes):
        scale = recipe.global_scale if number < GLOBAL_CROPS else recipe.local_scale
        crop = draw_crop(crop_random, source, scale, recipe.ratio, size, recipe.flip)
        draws.append(_distorted(crop, number, recipe, random))
    return draws


def draw_crop(
    random: np.random.Generator,
    source: tuple[int, int],
    scale: tuple[float, float],
    ratio: tuple[float, float],
    size: int,
    flip: float,
) -> CropGeometry:
    """Draws a crop like torchvision's RandomResizedCrop, and whether it is mirrored.

    Args:
        random: The random generator.
        source: Width and height of the image in pixels.
        scale: Smallest and largest share of the image's area.
        ratio: Smallest and largest width over height.
        size: Side of the view.
        flip: Probability of a mirrored view.
    """
    width, height = source
    top, left, h, w = draw_box(random, source, scale, ratio)
    return CropGeometry(top, left, h, w, height, width, bool(random.random() < flip), size)


def _distorted(
    crop: CropGeometry, number: int, recipe: ViewRecipe, random: np.random.Generator
) -> ViewDraw:
    jitter = _jitter(recipe, random) if random.random() < recipe.jitter else ()
    grayscale = bool(random.random() < recipe.grayscale)
    is_blurred = random.random() < _blur_probability(number, recipe)
    blur = float(random.uniform(*recipe.blur_radius)) if is_blurred else 0.0
    solarize = bool(number == 1 and random.random() < recipe.solarize_second)
    return ViewDraw(crop, jitter, grayscale, blur, solarize)


def _jitter(recipe: ViewRecipe, random: np.random.Generator) -> tuple[tuple[str, float], ...]:
    """Factors around 1 (0 for the hue) in random order; operations of strength 0 are left out."""
    drawn = []
    for index in random.permutation(len(JITTERS)):
        name = JITTERS[index]
        strength, neutral = getattr(recipe, name), 0.0 if name == "hue" else 1.0
        if strength > 0:
            low = max(neutral - strength, neutral - 1.0)
            drawn.append((name, float(random.uniform(low, neutral + strength))))
    return tuple(drawn)


def _blur_probability(number: int, recipe: ViewRecipe) -> float:
    return (recipe.blur_first, recipe.blur_second)[number] if number < 2 else recipe.blur_local
