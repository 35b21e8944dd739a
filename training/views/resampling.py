"""Cropping and resizing a batch of images by two matrix products.

A row of a resampling matrix holds the weights of one output pixel under Pillow's antialiased
filter. One product over rows and one over columns then crop, resize and mirror any number
of crops of a batch, on any device.
"""

from collections.abc import Callable

import torch

from lowlabel.training.views.recipe import Interpolation

_SUPPORT = 2.0
_CUBIC = -0.5  # Keys's parameter, as in Pillow


def resampling_matrix(
    start: torch.Tensor,
    length: torch.Tensor,
    source: torch.Tensor,
    size: int,
    width: int,
    mirrored: torch.Tensor | None = None,
    interpolation: Interpolation = "bicubic",
) -> torch.Tensor:
    """Weights that resample a box of `width` source pixels to `size` pixels, along one axis.

    Args:
        start: Start of each box, in source pixels [N].
        length: Length of each box, in source pixels [N].
        source: Number of source pixels without padding [N]; padding has weight 0.
        size: Number of output pixels.
        width: Number of source pixels including padding.
        mirrored: Whether to reverse the output [N].
        interpolation: Pillow's filter.

    Returns:
        float32 [N, size, width]; each row sums to 1.
    """
    scale = (length / size)[:, None, None]
    stretch = scale.clamp(min=1.0)
    outputs = torch.arange(size, device=start.device) + 0.5
    centres = start[:, None, None] + outputs[:, None] * scale
    pixels = torch.arange(width, device=start.device)
    weights = _FILTERS[interpolation](((pixels + 0.5) - centres) / stretch)
    weights = weights.masked_fill(pixels >= source[:, None, None], 0.0)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    if mirrored is not None:
        weights = torch.where(mirrored[:, None, None], weights.flip(1), weights)
    return weights


def crop_and_resize(
    images: torch.Tensor,
    boxes: torch.Tensor,
    sources: torch.Tensor,
    size: int,
    interpolation: Interpolation = "bicubic",
) -> torch.Tensor:
    """Crops V boxes from each image and resizes them.

    Args:
        images: float32 [B, 3, H, W], padded at the bottom and the right.
        boxes: Top, left, height and width in pixels, and whether to mirror [B, V, 5].
        sources: Height and width of each image without padding [B, 2].
        size: Side of the views.
        interpolation: Pillow's filter.

    Returns:
        float32 [B, V, 3, size, size], integers from 0 to 255.
    """
    (batch, channels, height, width), views = images.shape, boxes.shape[1]
    top, left, rows, columns, mirrored = boxes.flatten(0, 1).float().unbind(dim=1)
    tall, wide = sources.repeat_interleave(views, dim=0).float().unbind(dim=1)
    down = resampling_matrix(top, rows, tall, size, height, None, interpolation)
    across = resampling_matrix(left, columns, wide, size, width, mirrored > 0, interpolation)
    lines = images.reshape(batch, channels * height, width)
    cut = lines @ across.view(batch, views * size, width).transpose(1, 2)
    # Pillow rounds to bytes between its two passes.
    cut = cut.round_().clamp_(0, 255).view(batch, channels, height, views, size)
    cut = cut.permute(0, 3, 2, 1, 4).reshape(batch * views, height, channels * size)
    resized = (down @ cut).round_().clamp_(0, 255)
    return resized.view(batch, views, size, channels, size).transpose(2, 3)


def blur(images: torch.Tensor, deviations: torch.Tensor) -> torch.Tensor:
    """Gaussian blur of square images [N, C, s, s] with standard deviations in pixels [N].

    Edge pixels are repeated.
    """
    side = images.shape[-1]
    reach = side + int(4 * float(deviations.max())) + 1
    pixels = torch.arange(-reach, side + reach, device=images.device)
    distances = (pixels - torch.arange(side, device=images.device)[:, None]).float()
    weights = torch.exp(-0.5 * (distances / deviations[:, None, None]).square())
    weights = weights / weights.sum(dim=-1, keepdim=True)
    matrix = weights.new_zeros(len(images), side, side)
    matrix.index_add_(2, pixels.clamp(0, side - 1), weights)
    blurred: torch.Tensor = matrix[:, None] @ images @ matrix[:, None].transpose(2, 3)
    return blurred


def _cubic(distance: torch.Tensor) -> torch.Tensor:
    x = distance.abs()
    near = ((_CUBIC + 2) * x - (_CUBIC + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * _CUBIC - 4 * _CUBIC
    return torch.where(x < 1, near, far.masked_fill(x >= _SUPPORT, 0.0))


def _triangle(distance: torch.Tensor) -> torch.Tensor:
    return (1 - distance.abs()).clamp(min=0)


_FILTERS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "bicubic": _cubic,
    "bilinear": _triangle,
}
