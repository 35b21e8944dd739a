"""From an image file to the pixels that a model sees: Resize → CenterCrop, in one resampling."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lowlabel.datasets.base import Box

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ImageTransform:
    """Resize(`resize`) → CenterCrop(`crop`) → normalise, as torchvision does it on Pillow images.

    Attributes:
        resize: Length of the shorter side before the crop, in pixels.
        crop: Side of the square that is cut from the centre, in pixels.
        interpolation: "nearest", "bilinear", "bicubic" or "lanczos", all antialiased.
        mean: Per channel, of values in [0, 1].
        std: Likewise.
    """

    resize: int = 256
    crop: int = 224
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    def read(self, path: Path, box: Box | None = None) -> NDArray[np.uint8]:
        """Decodes, resizes and crops a file, or what a box (clipped to the image) holds of it.

        Only the pixels of the crop are computed: Pillow resamples the box of the source image
        that the crop comes from. That gives the values of resizing the whole, up to Pillow's
        rounding between its two passes (at most 2 of 255, without bias).

        Returns:
            uint8 [crop, crop, 3].

        Raises:
            OSError, ValueError, SyntaxError: If Pillow cannot decode the file, or the box lies
                outside the image.
        """
        with Image.open(path) as image:
            rgb = image.convert("RGB")
        if box:
            rgb = rgb.crop(_clipped(box, rgb.size))
        resized = _resized_size(rgb.size, self.resize)
        area = _crop_box(rgb.size, resized, self.crop)
        method = Image.Resampling[self.interpolation.upper()]
        return np.asarray(rgb.resize((self.crop, self.crop), method, box=area))

    def normalise(self, pixels: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Turns uint8 [B, H, W, 3] into normalised [B, 3, H, W] of `dtype` on the same device."""
        mean = torch.tensor(self.mean, device=pixels.device) * 255
        std = torch.tensor(self.std, device=pixels.device) * 255
        return ((pixels.float() - mean) / std).permute(0, 3, 1, 2).to(dtype)


def _clipped(box: Box, size: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    clipped = max(left, 0), max(top, 0), min(right, size[0]), min(bottom, size[1])
    if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
        raise ValueError(f"the box {box} lies outside an image of {size}")
    return clipped


def _resized_size(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Width and height after the shorter side became `shorter`, rounded as torchvision does."""
    width, height = size
    if width <= height:
        return shorter, int(shorter * height / width)
    return int(shorter * width / height), shorter


def _crop_box(
    size: tuple[int, int], resized: tuple[int, int], crop: int
) -> tuple[float, float, float, float]:
    """The centre crop of the resized image, in the source image's coordinates."""
    left, top = (round((side - crop) / 2) for side in resized)
    x, y = (source / side for source, side in zip(size, resized, strict=True))
    right, bottom = min((left + crop) * x, size[0]), min((top + crop) * y, size[1])
    return left * x, top * y, right, bottom
