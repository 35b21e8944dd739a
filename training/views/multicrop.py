"""Multi-crop on the CPU: from an image to its views, with the geometry of each.

Crop, resize and their filter are one call of Pillow, which reads the image's own pixels around
the crop where torchvision repeats the crop's edge; colours are changed in place by compiled loops
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
from lowlabel.training.views.recipe import ViewRecipe

_ADJUST = {
    "brightness": colour.adjust_brightness,
    "contrast": colour.adjust_contrast,
    "saturation": colour.adjust_saturation,
    "hue": colour.adjust_hue,
}


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
        """Draws and makes views; equal seeds give equal views.

        Args:
            image: In mode RGB.
            seed: Of every draw for this image.
            crop_seed: Of crops and flips, where they are shared by a batch.

        Returns:
            V tensors uint8 [3, h, w], and the geometry int64 [V, 8].
        """
        image = fit(image, self.recipe)
        draws = draw_views(self.recipe, image.size, seed, crop_seed)
        pixels = [disturb(cut(image, draw.crop), draw) for draw in draws]
        views = [torch.from_numpy(np.ascontiguousarray(p.transpose(2, 0, 1))) for p in pixels]
        return views, geometry_tensor([draw.crop for draw in draws])


def fit(image: Image.Image, recipe: ViewRecipe) -> Image.Image:
    """Resizes an image to the square that a recipe wants first, if it wants one."""
    if not recipe.resize:
        return image
    return image.resize((recipe.resize, recipe.resize), Image.Resampling.BICUBIC)


def cut(image: Image.Image, crop: CropGeometry) -> Image.Image:
    """Crops, resizes (bicubic, antialiased) and mirrors an image."""
    box = (crop.left, crop.top, crop.left + crop.width, crop.top + crop.height)
    view = image.resize((crop.size, crop.size), Image.Resampling.BICUBIC, box=box)
    return view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if crop.flipped else view


def disturb(view: Image.Image, draw: ViewDraw) -> NDArray[np.uint8]:
    """Jitters colours, greys, blurs and solarizes a view; gives uint8 [h, w, 3]."""
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
