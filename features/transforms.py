"""Preprocessing of an image file for a model: Resize → CenterCrop, or the whole image."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lowlabel.datasets import Box
from lowlabel.datasets.io.pixels import Orientation, open_rgb, upright
from lowlabel.errors import DataError
from lowlabel.fields import grown

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ImageTransform:
    """Resize(`resize`) → CenterCrop(`crop`) → normalise, as in torchvision on Pillow images.

    Attributes:
        resize: Length of the shorter side before the crop, in pixels.
        crop: Side of the central square, in pixels.
        interpolation: "nearest", "bilinear", "bicubic" or "lanczos", all antialiased.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel, of values in [0, 1].
        orientation: "stored" reads pixels as they are stored, "exif" turns or mirrors them by the
            EXIF orientation.
    """

    resize: int = 256
    crop: int = 224
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    orientation: Orientation = grown("stored")

    @property
    def side(self) -> int:
        """Length of the longest side of the model's input, in pixels."""
        return self.crop

    @property
    def blank(self) -> tuple[int, int]:
        """Height and width of a blank image to try a model with."""
        return self.crop, self.crop

    def read(self, path: Path, box: Box | None = None) -> NDArray[np.uint8]:
        """Decodes, resizes and crops an image file.

        Only the pixels of the crop are computed: Pillow resamples the region of the source image
        that the crop covers. The values equal those of resizing the whole image, up to Pillow's
        rounding between its two passes (at most 2 of 255, without bias).

        Args:
            path: The file.
            box: Region to read instead of the whole image, in stored pixels; clipped to the image.

        Returns:
            uint8 [crop, crop, 3].

        Raises:
            OSError, ValueError, SyntaxError: If Pillow cannot decode the file.
            DataError: If most of the box lies outside the image.
        """
        rgb = open_image(path, box, self.orientation)[0]
        resized = _resized_size(rgb.size, self.resize)
        area = _crop_box(rgb.size, resized, self.crop)
        method = Image.Resampling[self.interpolation.upper()]
        return np.asarray(rgb.resize((self.crop, self.crop), method, box=area))

    def normalise(self, pixels: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Converts uint8 [B, H, W, 3] to normalised [B, 3, H, W] of `dtype` on the same device."""
        return _normalised(pixels, self.mean, self.std, dtype)


@dataclass(frozen=True)
class WholeImage:
    """Resizes images without cropping them, for embedding at one or several scales.

    Attributes:
        side: Side of the square, or limit of the longest side, in pixels.
        keep_aspect: Whether the aspect ratio is kept. Smaller images then keep their size, and a
            `box` is resized by the same factor as its whole image (Radenović et al.).
        scales: Factors at which each image is embedded; the features are averaged.
        interpolation: As in `ImageTransform`.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel, of values in [0, 1].
        orientation: As in `ImageTransform`.
    """

    side: int
    keep_aspect: bool
    scales: tuple[float, ...] = (1.0,)
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    orientation: Orientation = grown("stored")

    @property
    def blank(self) -> tuple[int, int]:
        """Height and width of a blank image to try a model with."""
        return (max(1, 3 * self.side // 4), self.side) if self.keep_aspect else (self.side,) * 2

    def read(self, path: Path, box: Box | None = None) -> NDArray[np.uint8]:
        """Decodes and resizes an image file.

        Args:
            path: The file.
            box: Region to read instead of the whole image, in stored pixels; clipped to the image.

        Returns:
            uint8 [H, W, 3].

        Raises:
            OSError, ValueError, SyntaxError: If Pillow cannot decode the file.
            DataError: If most of the box lies outside the image.
        """
        rgb, whole = open_image(path, box, self.orientation)
        method = Image.Resampling[self.interpolation.upper()]
        if self.keep_aspect:
            limit = max(1, round(self.side * max(rgb.size) / max(whole)))
            rgb.thumbnail((limit, limit), method)
            return np.asarray(rgb)
        return np.asarray(rgb.resize((self.side, self.side), method))

    def normalise(self, pixels: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Normalises like `ImageTransform.normalise`."""
        return _normalised(pixels, self.mean, self.std, dtype)


def _normalised(
    pixels: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...], dtype: torch.dtype
) -> torch.Tensor:
    centre = torch.tensor(mean, device=pixels.device) * 255
    scale = torch.tensor(std, device=pixels.device) * 255
    return ((pixels.float() - centre) / scale).permute(0, 3, 1, 2).to(dtype)


def open_image(
    path: Path, box: Box | None, orientation: Orientation = "stored"
) -> tuple[Image.Image, tuple[int, int]]:
    """Opens an image file in RGB, cropped to a box if there is one, then turned.

    Args:
        path: The file.
        box: Region to crop to, in stored pixels whatever the orientation; clipped to the image.
        orientation: See `ImageTransform`.

    Returns:
        The image, and the sides of the whole image as it is stored.

    Raises:
        OSError, ValueError, SyntaxError: If Pillow cannot decode the file.
        DataError: If most of the box lies outside the image.
    """
    rgb = open_rgb(path)
    whole = rgb.size
    if box is not None:
        rgb = _crop(rgb, box, path)
    return (upright(rgb, path) if orientation == "exif" else rgb), whole


def _crop(rgb: Image.Image, box: Box, path: Path) -> Image.Image:
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
            "Use images and boxes from the same publisher, both unchanged.",
        )
    return rgb.crop((left, top, right, bottom))


def _resized_size(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Width and height after resizing the shorter side to `shorter`, rounded as in torchvision."""
    width, height = size
    if width <= height:
        return shorter, int(shorter * height / width)
    return int(shorter * width / height), shorter


def _crop_box(
    size: tuple[int, int], resized: tuple[int, int], crop: int
) -> tuple[float, float, float, float]:
    """Centre crop of the resized image, in coordinates of the source image."""
    left, top = (round((side - crop) / 2) for side in resized)
    x, y = (source / side for source, side in zip(size, resized, strict=True))
    right, bottom = min((left + crop) * x, size[0]), min((top + crop) * y, size[1])
    return left * x, top * y, right, bottom
