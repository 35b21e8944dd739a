"""Multi-crop of a batch on the training device.

Workers decode the images and draw the random numbers; the device crops, resizes and distorts all
views of a size together. The views equal those of `multicrop` up to rounding.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from lowlabel.training.views import colour_batch
from lowlabel.training.views.draws import JITTERS, ViewDraw, draw_views
from lowlabel.training.views.geometry import geometry_tensor
from lowlabel.training.views.multicrop import fit
from lowlabel.training.views.recipe import Interpolation, ViewRecipe
from lowlabel.training.views.resampling import blur, crop_and_resize

LONGEST_SIDE = 1_024
_BLOCK = 32  # images processed at a time, to bound the memory


class DrawnImages(NamedTuple):
    """Decoded images and the draws of their views.

    Attributes:
        images: uint8 [B, 3, H, W], padded at the bottom and the right.
        sizes: Height and width without padding, int64 [B, 2].
        geometry: int64 [B, V, 8].
        distortions: float32 [B, V, 11]; see `distortion_row`.
        unreadable: Indices of the images that could not be read and were replaced.
        rows: Index of each image.
    """

    images: torch.Tensor
    sizes: torch.Tensor
    geometry: torch.Tensor
    distortions: torch.Tensor
    unreadable: list[int]
    rows: tuple[int, ...] = ()


def draw_image(
    image: Image.Image,
    recipe: ViewRecipe,
    seed: Sequence[int],
    crop_seed: Sequence[int] | None,
    unreadable: list[int],
) -> DrawnImages:
    """Draws the views of one image, as a batch of one.

    An image with a side over 1,024 pixels is first reduced by an integer factor, as by Pillow's
    `reducing_gap`.
    """
    image = fit(image, recipe)
    draws = draw_views(recipe, image.size, seed, crop_seed)
    geometry = geometry_tensor([draw.crop for draw in draws])
    factor = -(-max(image.size) // LONGEST_SIDE)
    pixels = np.asarray(image.reduce(factor) if factor > 1 else image)
    planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    rows = torch.tensor([distortion_row(draw) for draw in draws])
    sizes = torch.tensor([planes.shape[1:]])
    return DrawnImages(planes[None], sizes, geometry[None], rows[None], unreadable)


def distortion_row(draw: ViewDraw) -> list[float]:
    """Four jitter operations (-1: none), their four factors, greyscale, blur radius, solarize."""
    missing = len(JITTERS) - len(draw.jitter)
    operations = [float(JITTERS.index(name)) for name, _ in draw.jitter] + [-1.0] * missing
    factors = [factor for _, factor in draw.jitter] + [0.0] * missing
    return [*operations, *factors, float(draw.grayscale), draw.blur, float(draw.solarize)]


def join_images(parts: Sequence[DrawnImages]) -> DrawnImages:
    """Joins batches of one image into one batch, padded to the largest image."""
    sizes = torch.cat([part.sizes for part in parts])
    height, width = sizes.amax(dim=0).tolist()
    images = parts[0].images.new_zeros(len(sizes), 3, height, width)
    for image, part in zip(images, parts, strict=True):
        rows, columns = part.sizes[0].tolist()
        image[:, :rows, :columns] = part.images[0]
    return DrawnImages(
        images,
        sizes,
        torch.cat([part.geometry for part in parts]),
        torch.cat([part.distortions for part in parts]),
        [index for part in parts for index in part.unreadable],
        tuple(row for part in parts for row in part.rows),
    )


@torch.no_grad()
def device_views(
    drawn: DrawnImages, device: torch.device, interpolation: Interpolation = "bicubic"
) -> list[torch.Tensor]:
    """Makes the drawn views.

    Returns:
        V tensors uint8 [B, 3, h, w] on the device.
    """
    blocks = [
        _block(drawn, slice(start, start + _BLOCK), device, interpolation)
        for start in range(0, len(drawn.images), _BLOCK)
    ]
    return [torch.cat(same) for same in zip(*blocks, strict=True)]


def _block(
    drawn: DrawnImages, part: slice, device: torch.device, interpolation: Interpolation
) -> list[torch.Tensor]:
    images = drawn.images[part].to(device, non_blocking=True).float()
    sizes, distortions = drawn.sizes[part].to(device), drawn.distortions[part]
    boxes = _boxes(drawn.geometry[part], drawn.sizes[part]).to(device)
    sides = drawn.geometry[0, :, -1].tolist()
    made: list[torch.Tensor] = []
    for size, numbers in groupby(range(len(sides)), key=lambda number: sides[number]):
        chosen = list(numbers)
        views = crop_and_resize(images, boxes[:, chosen], sizes, size, interpolation)
        distorted = _distort(views.flatten(0, 1), distortions[:, chosen].flatten(0, 1))
        as_bytes = distorted.round().clamp_(0, 255).to(torch.uint8)
        made += as_bytes.view(views.shape).unbind(dim=1)
    return made


def _boxes(geometry: torch.Tensor, sizes: torch.Tensor) -> torch.Tensor:
    """Top, left, height, width and mirroring [B, V, 5], in pixels of the (reduced) images."""
    top, left, height, width, tall, wide, flipped, _ = geometry.double().unbind(dim=-1)
    down, across = sizes[:, :1] / tall, sizes[:, 1:] / wide
    edges = (top * down, left * across, height * down, width * across, flipped)
    return torch.stack(edges, dim=-1).float()


def _distort(views: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Jitters, greys, blurs and solarizes views [N, 3, h, w], each by its row [N, 11].

    The rows stay on the CPU, so selecting views does not synchronise with the device.
    """
    names = len(JITTERS)
    for position in range(names):
        for operation, name in enumerate(JITTERS):
            chosen, where = _chosen(rows[:, position] == operation, views)
            if len(chosen):
                factors = rows[chosen, names + position].to(views.device).view(-1, 1, 1, 1)
                views[where] = colour_batch.ADJUST[name](views[where], factors)
    chosen, where = _chosen(rows[:, -3] > 0, views)
    if len(chosen):
        views[where] = colour_batch.luma(views[where]).expand(-1, 3, -1, -1)
    chosen, where = _chosen(rows[:, -2] > 0, views)
    if len(chosen):
        views[where] = blur(views[where], rows[chosen, -2].to(views.device))
    chosen, where = _chosen(rows[:, -1] > 0, views)
    if len(chosen):
        views[where] = colour_batch.solarize(views[where])
    return views


def _chosen(mask: torch.Tensor, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    chosen = mask.nonzero().flatten()
    return chosen, chosen.to(views.device)
