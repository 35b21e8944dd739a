"""The stream of batches: decoded, cut into views, in an order that can be taken up anywhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from lowlabel.datasets import ImageSet
from lowlabel.errors import DataError, InputError
from lowlabel.training.views.device_views import DrawnImages, draw_image, join_images
from lowlabel.training.views.multicrop import MultiCrop
from lowlabel.training.views.recipe import ViewRecipe

LEAST_SIDE = 4
_MOST_IN_A_ROW = 32
_CROP_STREAM = 1


class Key(NamedTuple):
    """Which image to load, and what its draws depend on."""

    epoch: int
    batch: int
    image: int


class Sample(NamedTuple):
    """One image's views, or a batch's.

    Attributes:
        views: V tensors uint8 [3, h, w], or [B, 3, h, w].
        geometry: int64 [V, 8], or [B, V, 8].
        unreadable: Indices of images that could not be read and that others stand in for.
    """

    views: list[torch.Tensor]
    geometry: torch.Tensor
    unreadable: list[int]


class ViewDataset(Dataset[Sample | DrawnImages]):
    """Views of images by `Key`: equal keys give equal views in any process.

    Args:
        images: What to load.
        recipe: The views.
        seed: Equal seeds are equal views.
        only_drawn: Whether views are drawn but not made: `device_views` makes them of a batch.
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
        """Loads an image; the next ones in the listing stand in for it while it is unreadable."""
        unreadable: list[int] = []
        for step in range(min(_MOST_IN_A_ROW, len(self))):
            index = (key.image + step) % len(self)
            try:
                image = read_image(self._paths[index])
            except (OSError, ValueError, SyntaxError):
                unreadable.append(index)
                continue
            crop_seed = (self._seed, key.epoch, key.batch, _CROP_STREAM) if self._shared else None
            seed = (self._seed, key.epoch, key.image)
            if self._only_drawn:
                return draw_image(image, self._recipe, seed, crop_seed, unreadable)
            return Sample(*self._multi_crop(image, seed, crop_seed), unreadable)
        raise DataError(
            f"{len(unreadable)} images in a row cannot be read, from "
            f"{self._paths[unreadable[0]]} to {self._paths[unreadable[-1]]}",
            "Check that the files are whole images, and that the disk can be read.",
        )


def read_image(path: Path) -> Image.Image:
    """Decodes a file to RGB.

    Raises:
        OSError, ValueError, SyntaxError: If it is no image, or has a side of under 4 pixels.
    """
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    if min(rgb.size) < LEAST_SIDE:
        raise ValueError(f"{path} is {rgb.width}×{rgb.height} pixels")
    return rgb


def collate(samples: list[Sample | DrawnImages]) -> Sample | DrawnImages:
    """Stacks images to a batch."""
    if isinstance(samples[0], DrawnImages):
        return join_images(samples)  # type: ignore[arg-type]
    return _stack(samples)  # type: ignore[arg-type]


def _stack(samples: list[Sample]) -> Sample:
    views = [torch.stack(same) for same in zip(*(s.views for s in samples), strict=True)]
    geometry = torch.stack([s.geometry for s in samples])
    return Sample(views, geometry, [index for s in samples for index in s.unreadable])


@dataclass(frozen=True)
class BatchOrder:
    """Which images make which batch: a function of seed, epoch and step.

    Attributes:
        images: How many images there are.
        batch_size: Images in a global batch; the rest of an epoch is left out.
        seed: Of the order.
        rank: This process.
        ranks: How many processes share a batch.
        accumulate: Into how many parts each process cuts its share.
    """

    images: int
    batch_size: int
    seed: int
    rank: int = 0
    ranks: int = 1
    accumulate: int = 1

    def __post_init__(self) -> None:
        parts = self.ranks * self.accumulate
        if self.ranks > self.images:
            raise InputError(f"{self.ranks} processes have only {self.images} images to share")
        if self.batch_size < 1 or self.batch_size % parts:
            raise InputError(
                f"a batch of {self.batch_size} images cannot be shared by {self.ranks} processes "
                f"in {self.accumulate} parts each",
                f"Give a --batch-size that is a multiple of {parts}.",
            )
        if self.images < self.batch_size:
            raise InputError(
                f"{self.images} images do not fill a batch of {self.batch_size}",
                f"Give --batch-size {max(parts, self.images // parts * parts)} or less.",
            )

    @property
    def steps_per_epoch(self) -> int:
        """Optimisation steps in an epoch."""
        return self.images // self.batch_size

    def from_step(self, step: int, steps: int) -> Iterator[list[Key]]:
        """The keys of each part of each batch of this process, from `step` up to `steps`."""
        for first in range(step, steps):
            epoch, batch = divmod(first, self.steps_per_epoch)
            if first == step or batch == 0:
                order = np.random.default_rng((self.seed, epoch)).permutation(self.images)
            chosen = order[batch * self.batch_size :][: self.batch_size]
            keys = [Key(epoch, batch, int(index)) for index in chosen[self.rank :: self.ranks]]
            part = len(keys) // self.accumulate
            for start in range(0, len(keys), part):
                yield keys[start : start + part]


class _Batches:
    """A sampler of batches that begins at a step."""

    def __init__(self, order: BatchOrder, step: int, steps: int) -> None:
        self.order, self.step, self.steps = order, step, steps

    def __iter__(self) -> Iterator[list[Key]]:
        return self.order.from_step(self.step, self.steps)

    def __len__(self) -> int:
        return (self.steps - self.step) * self.order.accumulate


def batch_loader(
    dataset: ViewDataset, order: BatchOrder, step: int, steps: int, workers: int, pin: bool
) -> DataLoader[Sample | DrawnImages]:
    """The batches from `step` on, loaded by `workers` processes (0: by this one)."""
    return DataLoader(
        dataset,
        batch_sampler=_Batches(order, step, steps),
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin,
        prefetch_factor=2 if workers else None,
    )
