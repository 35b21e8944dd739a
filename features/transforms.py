"""From an image file to the pixels that a model sees: Resize → CenterCrop, or the whole image."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lowlabel.datasets import Box
from lowlabel.errors import DataError

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

    @property
    def side(self) -> int:
        """Length of the longest side that a model sees, in pixels."""
        return self.crop

    @property
    def blank(self) -> tuple[int, int]:
        """Height and width of an image to try a model with."""
        return self.crop, self.crop

    def read(self, path: Path, box: Box | None = None) -> NDArray[np.uint8]:
        """Decodes, resizes and crops a file, or what a box (clipped to the image) holds of it.

        Only the pixels of the crop are computed: Pillow resamples the box of the source image
        that the crop comes from. That gives the values of resizing the whole, up to Pillow's
        rounding between its two passes (at most 2 of 255, without bias).

        Returns:
            uint8 [crop, crop, 3].

        Raises:
            OSError, ValueError, SyntaxError: If Pillow cannot decode the file.
            DataError: If most of the box lies outside the image.
        """
        rgb = open_image(path, box)[0]
        resized = _resized_size(rgb.size, self.resize)
        area = _crop_box(rgb.size, resized, self.crop)
        method = Image.Resampling[self.interpolation.upper()]
        return np.asarray(rgb.resize((self.crop, self.crop), method, box=area))

    def normalise(self, pixels: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Turns uint8 [B, H, W, 3] into normalised [B, 3, H, W] of `dtype` on the same device."""
        return _normalised(pixels, self.mean, self.std, dtype)


@dataclass(frozen=True)
class WholeImage:
    """Resizes images without cropping them, and may show them at several scales.

    Attributes:
        side: Length in pixels of a square's sides, or the most that the longest side may have.
        keep_aspect: Whether the aspect ratio is kept, and smaller images are left as they are; a
            `box` is then resized as much as its whole image would be (Radenović et al.).
        scales: Factors at which a model sees each image; its features are averaged.
        interpolation: As in `ImageTransform`.
        mean: Per channel, of values in [0, 1].
        std: Likewise.
    """

    side: int
    keep_aspect: bool
    scales: tuple[float, ...] = (1.0,)
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    @property
    def blank(self) -> tuple[int, int]:
        """Height and width of an image to try a model with."""
        return (max(1, 3 * self.side // 4), self.side) if self.keep_aspect else (self.side,) * 2

    def read(self, path: Path, box: Box | None = None) -> NDArray[np.uint8]:
        """Decodes and resizes a file, or what a box holds of it, to uint8 [H, W, 3].

        Raises:
            OSError, ValueError, SyntaxError: If Pillow cannot decode the file.
            DataError: If most of the box lies outside the image.
        """
        rgb, whole = open_image(path, box)
        method = Image.Resampling[self.interpolation.upper()]
        if self.keep_aspect:
            limit = max(1, round(self.side * max(rgb.size) / max(whole)))
            rgb.thumbnail((limit, limit), method)
            return np.asarray(rgb)
        return np.asarray(rgb.resize((self.side, self.side), method))

    def normalise(self, pixels: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """As `ImageTransform.normalise`."""
        return _normalised(pixels, self.mean, self.std, dtype)


def _normalised(
    pixels: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...], dtype: torch.dtype
) -> torch.Tensor:
    centre = torch.tensor(mean, device=pixels.device) * 255
    scale = torch.tensor(std, device=pixels.device) * 255
    return ((pixels.float() - centre) / scale).permute(0, 3, 1, 2).to(dtype)


def open_image(path: Path, box: Box | None) -> tuple[Image.Image, tuple[int, int]]:
    """The RGB image, or what a box (clipped to the image) holds of it, and the size of the whole.

    Raises:
        OSError, ValueError, SyntaxError: If Pillow cannot decode the file.
        DataError: If most of the box lies outside the image.
    """
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    if box is None:
        return rgb, rgb.size
    left, top, right, bottom = (round(edge) for edge in box)
    area = max(right - left, 1) * max(bottom - top, 1)
    left, top, right, bottom = (
        max(left, 0),
        max(top, 0),
        min(right, rgb.width),
        min(bottom, rgb.height),
    )
    if 2 * max(right - left, 0) * max(bottom - top, 0) < area:
        raise DataError(
            f"the box {box} is not inside {path}, which has {rgb.width}×{rgb.height} pixels",
            "Take images and boxes of one origin, both as they were published.",
        )
    return rgb.crop((left, top, right, bottom)), rgb.size


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
