"""Multi-crop: from an image to its views, with the geometry of each.

Parameters are drawn as torchvision draws them; crop, resize and their filter are one call of
Pillow, which reads the image's own pixels around the crop where torchvision repeats the crop's
edge; colours are changed in place by compiled loops (see `colour`).
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from lowlabel.training import colour
from lowlabel.training.geometry import CropGeometry, geometry_tensor
from lowlabel.training.view_recipe import GLOBAL_CROPS, ViewRecipe

_CROP_TRIALS = 10


class MultiCrop:
    """Makes the views of one image.

    Args:
        recipe: How many, how large, and how disturbed.
    """

    def __init__(self, recipe: ViewRecipe) -> None:
        self.recipe = recipe

    def __call__(
        self, image: Image.Image, seed: Sequence[int], crop_seed: Sequence[int] | None = None
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Draws views; equal seeds give equal views.

        Args:
            image: In mode RGB.
            seed: Of every draw for this image.
            crop_seed: Of crops and flips, where they are shared by a batch.

        Returns:
            V tensors uint8 [3, h, w], and the geometry int64 [V, 8].
        """
        recipe = self.recipe
        random = np.random.default_rng(seed)
        crop_random = random if crop_seed is None else np.random.default_rng(crop_seed)
        if recipe.resize:
            image = image.resize((recipe.resize, recipe.resize), Image.Resampling.BICUBIC)
        views, crops = [], []
        for number, size in enumerate(recipe.sizes):
            scale = recipe.global_scale if number < GLOBAL_CROPS else recipe.local_scale
            crop = draw_crop(crop_random, image.size, scale, recipe.ratio, size, recipe.flip)
            pixels = disturb(cut(image, crop), number, recipe, random)
            views.append(torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))))
            crops.append(crop)
        return views, geometry_tensor(crops)


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


def cut(image: Image.Image, crop: CropGeometry) -> Image.Image:
    """Crops, resizes (bicubic, antialiased) and mirrors an image."""
    box = (crop.left, crop.top, crop.left + crop.width, crop.top + crop.height)
    view = image.resize((crop.size, crop.size), Image.Resampling.BICUBIC, box=box)
    return view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if crop.flipped else view


def disturb(
    view: Image.Image, number: int, recipe: ViewRecipe, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Jitters colours, greys, blurs and solarizes view `number`; gives uint8 [h, w, 3]."""
    pixels = np.array(view)
    if random.random() < recipe.jitter:
        jitter(pixels, recipe, random)
    if random.random() < recipe.grayscale:
        colour.to_grayscale(pixels)
    if random.random() < _blur_probability(number, recipe):
        radius = random.uniform(*recipe.blur_radius)
        blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius))
        pixels = np.array(blurred)
    if number == 1 and random.random() < recipe.solarize_second:
        colour.solarize(pixels)
    return pixels


def jitter(pixels: NDArray[np.uint8], recipe: ViewRecipe, random: np.random.Generator) -> None:
    """Changes brightness, contrast, saturation and hue in a random order, in place."""
    operations = (
        (colour.adjust_brightness, 1.0, recipe.brightness),
        (colour.adjust_contrast, 1.0, recipe.contrast),
        (colour.adjust_saturation, 1.0, recipe.saturation),
        (colour.adjust_hue, 0.0, recipe.hue),
    )
    for index in random.permutation(len(operations)):
        adjust, middle, reach = operations[index]
        if reach > 0:
            adjust(pixels, float(random.uniform(max(middle - reach, middle - 1.0), middle + reach)))


def _blur_probability(number: int, recipe: ViewRecipe) -> float:
    return (recipe.blur_first, recipe.blur_second)[number] if number < 2 else recipe.blur_local
