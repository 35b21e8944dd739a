"""Colour jitter of a batch of images; as in `colour`, but without rounding.

Images are float [N, 3, h, w] in [0, 255]; factors are [N, 1, 1, 1].
"""

from collections.abc import Callable

import torch

_LUMA = (0.299, 0.587, 0.114)


def luma(images: torch.Tensor) -> torch.Tensor:
    """ITU-R 601 luma [N, 1, h, w]."""
    red, green, blue = images.split(1, dim=1)
    grey: torch.Tensor = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
    return grey


def adjust_brightness(images: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Blends the images with black."""
    return (images * factors).clamp(0, 255)


def adjust_contrast(images: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Blends each image with its mean luma."""
    mean = luma(images).mean(dim=(2, 3), keepdim=True)
    return mean.lerp(images, factors).clamp(0, 255)


def adjust_saturation(images: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Blends the images with their luma."""
    return luma(images).lerp(images, factors).clamp(0, 255)


def adjust_hue(images: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """Rotates the hue by a fraction of the circle; value and chroma are preserved."""
    red, green, blue = images.unbind(dim=1)
    high = images.amax(dim=1)
    chroma = high - images.amin(dim=1)
    safe = torch.where(chroma > 0, chroma, 1.0)
    hue = torch.where(
        high == red,
        (green - blue) / safe,
        torch.where(high == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    hue = hue + 6 * factors.squeeze(1)
    offsets = torch.tensor((5.0, 3.0, 1.0), device=images.device).view(1, 3, 1, 1)
    angle = (hue[:, None] + offsets).remainder(6)
    share = torch.minimum(angle, 4 - angle).clamp(0, 1)
    return high[:, None] - chroma[:, None] * share


ADJUST: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "brightness": adjust_brightness,
    "contrast": adjust_contrast,
    "saturation": adjust_saturation,
    "hue": adjust_hue,
}


def solarize(images: torch.Tensor) -> torch.Tensor:
    """Inverts values that round to 128 or more."""
    return torch.where(images >= 127.5, 255 - images, images)
