"""What is drawn for each view of an image, before any pixel is touched."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lowlabel.training.views.geometry import CropGeometry
from lowlabel.training.views.recipe import GLOBAL_CROPS, ViewRecipe

_CROP_TRIALS = 10
JITTERS = ("brightness", "contrast", "saturation", "hue")


@dataclass(frozen=True)
class ViewDraw:
    """One view, as numbers.

    Attributes:
        crop: Where it lies in the image, and whether it is mirrored.
        jitter: Names in `JITTERS` with their factors, in the order in which they are applied.
        grayscale: Whether it loses its colours.
        blur: Standard deviation of its Gaussian blur in pixels; 0 for none.
        solarize: Whether it is solarized.
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
    """Draws the views of an image; equal seeds give equal views.

    Args:
        recipe: How many, how large, and how disturbed.
        source: Width and height of the image in pixels.
        seed: Of every draw for this image.
        crop_seed: Of crops and flips, where they are shared by a batch.
    """
    random = np.random.default_rng(seed)
    crop_random = random if crop_seed is None else np.random.default_rng(crop_seed)
    draws = []
    for number, size in enumerate(recipe.sizes):
        scale = recipe.global_scale if number < GLOBAL_CROPS else recipe.local_scale
        crop = draw_crop(crop_random, source, scale, recipe.ratio, size, recipe.flip)
        draws.append(_disturbed(crop, number, recipe, random))
    return draws


def draw_crop(
    random: np.random.Generator,
    source: tuple[int, int],
    scale: tuple[float, float],
    ratio: tuple[float, float],
    size: int,
    flip: float,
) -> CropGeometry:
    """Draws a crop as torchvision's RandomResizedCrop does, and whether it is mirrored.

    Ten trials of an area and an aspect ratio (uniform in its logarithm); where none fits, the
    largest central crop whose aspect ratio is allowed.

    Args:
        random: Where draws come from.
        source: Width and height of the image in pixels.
        scale: Share of the area, least and most.
        ratio: Width over height, least and most.
        size: Side of the view.
        flip: Probability of a mirrored view.
    """
    width, height = source
    for _ in range(_CROP_TRIALS):
        area = width * height * random.uniform(*scale)
        aspect = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            top = int(random.integers(0, height - h + 1))
            left = int(random.integers(0, width - w + 1))
            break
    else:
        w = min(width, max(1, round(height * ratio[1])))
        h = min(height, max(1, round(width / ratio[0])))
        top, left = (height - h) // 2, (width - w) // 2
    return CropGeometry(top, left, h, w, height, width, bool(random.random() < flip), size)


def _disturbed(
    crop: CropGeometry, number: int, recipe: ViewRecipe, random: np.random.Generator
) -> ViewDraw:
    jitter = _jitter(recipe, random) if random.random() < recipe.jitter else ()
    grayscale = bool(random.random() < recipe.grayscale)
    is_blurred = random.random() < _blur_probability(number, recipe)
    blur = float(random.uniform(*recipe.blur_radius)) if is_blurred else 0.0
    solarize = bool(number == 1 and random.random() < recipe.solarize_second)
    return ViewDraw(crop, jitter, grayscale, blur, solarize)


def _jitter(recipe: ViewRecipe, random: np.random.Generator) -> tuple[tuple[str, float], ...]:
    """Factors around 1 (0 for the hue) in a random order; of 0 reach, an operation is left out."""
    drawn = []
    for index in random.permutation(len(JITTERS)):
        name = JITTERS[index]
        reach, middle = getattr(recipe, name), 0.0 if name == "hue" else 1.0
        if reach > 0:
            low = max(middle - reach, middle - 1.0)
            drawn.append((name, float(random.uniform(low, middle + reach))))
    return tuple(drawn)


def _blur_probability(number: int, recipe: ViewRecipe) -> float:
    return (recipe.blur_first, recipe.blur_second)[number] if number < 2 else recipe.blur_local
