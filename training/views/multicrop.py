"""Multi-crop of an image on the CPU.

One Pillow call crops, filters and resizes. At the edge of a crop its filter reads the surrounding
pixels of the image, where torchvision repeats the edge. Compiled loops change the colours in place
(see `colour`). `device_views` makes the same views of a batch on a GPU.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from lowlabel.training.views import colour
from lowlabel.training.views.draws import ViewDraw, draw_views
from lowlabel.training.views.geometry import CropGeometry, geometry_tensor
from lowlabel.training.views.recipe import Interpolation, ViewRecipe

_ADJUST = {
    "brightness": colour.adjust_brightness,
    "contrast": colour.adjust_contrast,
    "saturation": colour.adjust_saturation,
    "hue": colour.adjust_hue,
}


class MultiCrop:
    """Makes the views of an image.

    Args:
        recipe: How to make the views.
    """

    def __init__(self, recipe: ViewRecipe) -> None:
        self.recipe = recipe

    def __call__(
        self, image: Image.Image, seed: Sequence[int], crop_seed: Sequence[int] | None = None
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Draws and makes views. The same seeds give the same views.

        Args:
            image: An image in mode RGB.
            seed: Seed of the draws of this image.
            crop_seed: Seed of crops and flips if a batch shares them; None uses `seed`.

        Returns:
            V tensors uint8 [3, h, w], and the geometry int64 [V, 8].
        """
        image = fit(image, self.recipe)
        draws = draw_views(self.recipe, image.size, seed, crop_seed)
        pixels = [distort(cut(image, draw.crop, self.recipe.interpolation), draw) for draw in draws]
        views = [torch.from_numpy(np.ascontiguousarray(p.transpose(2, 0, 1))) for p in pixels]
        return views, geometry_tensor([draw.crop for draw in draws])


def fit(image: Image.Image, recipe: ViewRecipe) -> Image.Image:
    """Resizes an image to a square of side `recipe.resize`; 0 keeps its size."""
    if not recipe.resize:
        return image
    return image.resize((recipe.resize, recipe.resize), Image.Resampling.BICUBIC)


def cut(
    image: Image.Image, crop: CropGeometry, interpolation: Interpolation = "bicubic"
) -> Image.Image:
    """Crops, resizes (antialiased) and optionally mirrors an image."""
    method = Image.Resampling[interpolation.upper()]
    box = (crop.left, crop.top, crop.left + crop.width, crop.top + crop.height)
    view = image.resize((crop.size, crop.size), method, box=box)
    return view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if crop.flipped else view


def distort(view: Image.Image, draw: ViewDraw) -> NDArray[np.uint8]:
    """Jitters, greys, blurs and solarizes a view as drawn. Returns uint8 [h, w, 3]."""
    pixels = np.array(view)
    for name, factor in draw.jitter:
        _ADJUST[name](pixels, factor)
    if draw.grayscale:
        colour.to_grayscale(pixels)
    if draw.blur:
        pixels = np.array(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(draw.blur)))
    if draw.solarize:
        colour.solarize(pixels)
    return pixels
