"""A torch dataset of the views of images, reproducible in any process."""

from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch.utils.data import Dataset

from lowlabel.datasets import ImageSet
from lowlabel.datasets.io.pixels import Orientation, open_rgb, upright
from lowlabel.errors import DataError
from lowlabel.training.views.device_views import DrawnImages, draw_image, join_images
from lowlabel.training.views.multicrop import MultiCrop
from lowlabel.training.views.recipe import ViewRecipe

MIN_SIDE = 4
_MAX_UNREADABLE_RUN = 32
_CROP_STREAM = 1


class Key(NamedTuple):
    """The image to load, and what its random draws depend on."""

    epoch: int
    batch: int
    image: int


class Sample(NamedTuple):
    """The views of one image, or of a batch of B images.

    Attributes:
        views: V tensors uint8 [3, h, w], or [B, 3, h, w].
        geometry: int64 [V, 8], or [B, V, 8].
        unreadable: Indices of the images that could not be read and were replaced.
        rows: Index of each image.
    """

    views: list[torch.Tensor]
    geometry: torch.Tensor
    unreadable: list[int]
    rows: tuple[int, ...] = ()


class ViewDataset(Dataset[Sample | DrawnImages]):
    """Views of images by `Key`. The same key gives the same views in any process.

    Args:
        images: The images to load.
        recipe: How to make the views.
        seed: Random seed. The same seed gives the same views.
        only_drawn: Whether to draw the views without making them, for `device_views`.
    """

    def __init__(
        self, images: ImageSet, recipe: ViewRecipe, seed: int, only_drawn: bool = False
    ) -> None:
        self._recipe, self._only_drawn = recipe, only_drawn
        self._paths = [images.root / path for path in images.paths]
        self._multi_crop = MultiCrop(recipe)
        self._shared = recipe.shared_geometry
        self._seed = seed

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, key: Key) -> Sample | DrawnImages:
        """Loads an image. An unreadable image is replaced by the next readable one.

        Raises:
            DataError: If 32 images in a row cannot be read, or none can.
        """
        unreadable: list[int] = []
        reason = ""
        for step in range(min(_MAX_UNREADABLE_RUN, len(self))):
            index = (key.image + step) % len(self)
            try:
                image = read_image(self._paths[index], self._recipe.orientation)
            except (OSError, ValueError, SyntaxError) as error:
                reason = str(error).partition("\n")[0]
                unreadable.append(index)
                continue
            crop_seed = (self._seed, key.epoch, key.batch, _CROP_STREAM) if self._shared else None
            seed = (self._seed, key.epoch, key.image)
            if self._only_drawn:
                drawn = draw_image(image, self._recipe, seed, crop_seed, unreadable)
                return drawn._replace(rows=(index,))
            return Sample(*self._multi_crop(image, seed, crop_seed), unreadable, (index,))
        raise DataError(
            f"{len(unreadable)} images in a row cannot be read, from "
            f"{self._paths[unreadable[0]]} to {self._paths[unreadable[-1]]}; the last: {reason}",
            "Check that the files are intact images and that the disk is readable.",
        )


def read_image(path: Path, orientation: Orientation = "stored") -> Image.Image:
    """Decodes a file to RGB, as it is stored or turned by its EXIF orientation.

    Raises:
        OSError, ValueError, SyntaxError: If the file is no image, or a side has under 4 pixels.
    """
    rgb = open_rgb(path)
    if min(rgb.size) < MIN_SIDE:
        raise ValueError(f"{path} is {rgb.width}×{rgb.height} pixels")
    return upright(rgb, path) if orientation == "exif" else rgb


def collate(samples: list[Sample | DrawnImages]) -> Sample | DrawnImages:
    """Joins images into a batch."""
    if isinstance(samples[0], DrawnImages):
        return join_images(samples)  # type: ignore[arg-type]
    return _stack(samples)  # type: ignore[arg-type]


def _stack(samples: list[Sample]) -> Sample:
    views = [torch.stack(same) for same in zip(*(s.views for s in samples), strict=True)]
    geometry = torch.stack([s.geometry for s in samples])
    unreadable = [index for s in samples for index in s.unreadable]
    return Sample(views, geometry, unreadable, tuple(row for s in samples for row in s.rows))
