"""One augmented view of each image, drawn once and for all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lowlabel.datasets import Box
from lowlabel.datasets.io.boxed import open_image
from lowlabel.datasets.io.pixels import Orientation
from lowlabel.features.transforms import ImageTransform, Size, height_and_width, normalised
from lowlabel.features.views.crop import draw_box


@dataclass(frozen=True)
class RandomView:
    """RandomResizedCrop(`crop`) → RandomHorizontalFlip → normalise, as in torchvision.

    The defaults are those of torchvision, with which DINO augments the train images of its linear
    evaluation (Caron et al., ICCV 2021, arXiv:2104.14294). The draws of an image depend on its row
    in its part, the view and the seed alone.

    Attributes:
        crop: Side of the view in pixels, or (height, width).
        view: Number of the view, from 0.
        seed: Random seed.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel, of values in [0, 1].
        orientation: As in `ImageTransform`.
        scale: Smallest and largest share of the image's area.
        ratio: Smallest and largest width over height of the crop.
        flip: Probability of a mirrored view.
        interpolation: As in `ImageTransform`.
    """

    crop: Size
    view: int
    seed: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    orientation: Orientation = "stored"
    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    interpolation: str = "bilinear"

    @classmethod
    def of(cls, transform: ImageTransform, view: int, seed: int) -> Self:
        """The view of a size, normalisation and orientation that a model's preprocessing has."""
        kept = transform.mean, transform.std, transform.orientation
        return cls(transform.crop, view, seed, *kept)

    @property
    def side(self) -> int:
        """Length of the longest side of the view in pixels."""
        return max(self.blank)

    @property
    def blank(self) -> tuple[int, int]:
        """Height and width of the view."""
        return height_and_width(self.crop)

    def read(self, path: Path, box: Box | None = None, row: int = 0) -> NDArray[np.uint8]:
        """Decodes an image file and makes the view.

        Args:
            path: The file.
            box: Region to read instead of the whole image, in stored pixels; clipped to the image.
            row: Row of the image in its part, on which the draws depend.

        Returns:
            uint8 [height, width, 3].

        Raises:
            OSError, ValueError, SyntaxError: If Pillow cannot decode the file.
            DataError: If most of the box lies outside the image.
        """
        image = open_image(path, box, self.orientation)[0]
        random = np.random.default_rng((self.seed, self.view, row))
        top, left, height, width = draw_box(random, image.size, self.scale, self.ratio)
        method = Image.Resampling[self.interpolation.upper()]
        area = (left, top, left + width, top + height)
        shown = image.crop(area).resize(self.blank[::-1], method)
        if random.random() < self.flip:
            shown = shown.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return np.asarray(shown)

    def normalise(self, pixels: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Normalises like `ImageTransform.normalise`."""
        return normalised(pixels, self.mean, self.std, dtype)
