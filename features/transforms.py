"""Preprocessing of an image file for a model: Resize → CenterCrop, or the whole image."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lowlabel.datasets import Box
from lowlabel.datasets.io.boxed import open_image
from lowlabel.datasets.io.pixels import Orientation
from lowlabel.fields import grown

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

CropMode = Literal["center", "squash", "border", "floor"]
Size = int | tuple[int, int]
MOST_SIDE = 32_768  # of a resized image, in pixels


@dataclass(frozen=True)
class ImageTransform:
    """Resize(`resize`) → CenterCrop(`crop`) → normalise, as in torchvision on Pillow images.

    Attributes:
        resize: Length of the shorter side before the crop, in pixels; (height, width) to fill
            before a crop that is no square.
        crop: Side of the central square, in pixels; (height, width) of another crop.
        interpolation: "nearest", "bilinear", "bicubic" or "lanczos", all antialiased.
        mean: Mean of each channel, of values in [0, 1].
        std: Standard deviation of each channel, of values in [0, 1].
        orientation: "stored" reads pixels as they are stored, "exif" turns or mirrors them by the
            EXIF orientation.
        crop_mode: timm's: "center" keeps the aspect ratio and loses what is outside the crop,
            "squash" resizes both sides to `resize` before the crop, "border" fits the whole image
            into `resize` and fills the rest with `mean`. "floor" is "center" of transformers, which
            rounds the first row and column of the crop down, where torchvision takes the nearest.

    Raises:
        ValueError: If a side is no whole number from 1 to 32,768, a mean or deviation is not three
            finite numbers (deviations other than 0), or a name is unknown.
    """

    resize: Size = 256
    crop: Size = 224
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    orientation: Orientation = grown("stored")
    crop_mode: CropMode = grown("center")

    def __post_init__(self) -> None:
        sizes = (
            size if isinstance(size, tuple) else (size,) * 2 for size in (self.resize, self.crop)
        )
        sides = [side for size in sizes for side in size]
        if len(sides) != 4 or not all(isinstance(n, int) and 1 <= n <= MOST_SIDE for n in sides):
            raise ValueError(
                f"images of {self.resize} pixels, cropped to {self.crop}, are not possible: sides "
                f"are whole numbers from 1 to {MOST_SIDE:,}"
            )
        whole = len(self.mean) == len(self.std) == 3 and 0 not in self.std
        if not whole or not all(map(math.isfinite, (*self.mean, *self.std))):
            raise ValueError(f"colours have no mean {self.mean} and deviation {self.std}")
        known = {"interpolation": tuple(each.lower() for each in Image.Resampling.__members__)} | {
            "orientation": get_args(Orientation),
            "crop_mode": get_args(CropMode),
        }
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} is {getattr(self, name)!r}, not {' or '.join(values)}")

    @property
    def side(self) -> int:
        """Length of the longest side of the model's input, in pixels."""
        return max(self.blank)

    @property
    def blank(self) -> tuple[int, int]:
        """Height and width of a blank image to try a model with."""
        return height_and_width(self.crop)

    def at(self, side: Size) -> Self:
        """The same preprocessing for an input of another side, with the same part of images."""
        if side == self.crop:
            return self
        factor = height_and_width(side)[0] / self.blank[0]
        height, width = (round(each * factor) for each in height_and_width(self.resize))
        resize = (height, width) if isinstance(self.resize, tuple) else height
        return replace(self, resize=resize, crop=side)

    def read(self, path: Path, box: Box | None = None) -> NDArray[np.uint8]:
        """Decodes, resizes and crops an image file.

        Only the pixels of the crop are computed: Pillow resamples the region of the source image
        that the crop covers. The values equal those of resizing the whole image, up to Pillow's
        rounding between its two passes (at most 2 of 255, without bias).

        Args:
            path: The file.
            box: Region to read instead of the whole image, in stored pixels; clipped to the image.

        Returns:
            uint8 [crop, crop, 3], or [height, width, 3].

        Raises:
            OSError, ValueError, SyntaxError: If Pillow cannot decode the file.
            DataError: If most of the box lies outside the image.
        """
        rgb = open_image(path, box, self.orientation)[0]
        across, down = self._spans(rgb.width, rgb.height)
        method = Image.Resampling[self.interpolation.upper()]
        area = (across.start, down.start, across.stop, down.stop)
        shown = rgb.resize((across.pixels, down.pixels), method, box=area)
        if shown.size == self.blank[::-1]:
            return np.asarray(shown)
        canvas = Image.new("RGB", self.blank[::-1], self._fill)
        canvas.paste(shown, (across.margin, down.margin))
        return np.asarray(canvas)

    def covered(self, width: int, height: int) -> Box:
        """The region of a turned image that the input shows, in pixels of the image.

        It reaches beyond the image where the input has a border.
        """
        across, down = self._spans(width, height)
        rows, columns = self.blank
        (left, right), (top, bottom) = across.covered(columns), down.covered(rows)
        return left, top, right, bottom

    def _spans(self, width: int, height: int) -> "tuple[_Span, _Span]":
        resized = self._resized(width, height)
        rows, columns = self.blank
        start = math.floor if self.crop_mode == "floor" else round
        across = _Span.of(width, resized[0], columns, start)
        return across, _Span.of(height, resized[1], rows, start)

    @property
    def _fill(self) -> tuple[int, ...]:
        """Colour around images that are smaller than the crop."""
        return tuple(round(255 * v) for v in self.mean) if self.crop_mode == "border" else (0, 0, 0)

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height before the crop, rounded as in torchvision and timm."""
        if self.crop_mode in ("center", "floor") and isinstance(self.resize, int):
            shorter = self.resize
            if width <= height:
                return shorter, int(shorter * height / width)
            return int(shorter * width / height), shorter
        rows, columns = height_and_width(self.resize)
        if self.crop_mode == "squash":
            return columns, rows
        choose = max if self.crop_mode == "border" else min
        ratio = choose(height / rows, width / columns)
        return max(1, round(width / ratio)), max(1, round(height / ratio))

    def normalise(self, pixels: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Converts uint8 [B, H, W, 3] to normalised [B, 3, H, W] of `dtype` on the same device."""
        return normalised(pixels, self.mean, self.std, dtype)


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

    def is_of_one_size(self, patch: int) -> bool:
        """Whether a model with these patches sees all images in full, in one size."""
        return not self.keep_aspect and self.scales == (1.0,) and self.side % patch == 0

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

    def covered(self, width: int, height: int) -> Box:
        """The region of a turned image that the input shows: all of it."""
        return 0.0, 0.0, float(width), float(height)

    def normalise(self, pixels: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Normalises like `ImageTransform.normalise`."""
        return normalised(pixels, self.mean, self.std, dtype)


def normalised(
    pixels: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...], dtype: torch.dtype
) -> torch.Tensor:
    """Normalised [B, 3, H, W] of `dtype`, from uint8 [B, H, W, 3] on the same device."""
    images, height, width, _ = pixels.shape
    centre, scale = (
        (torch.tensor(each, device=pixels.device) * 255).repeat(width) for each in (mean, std)
    )
    rows = pixels.reshape(images, height, -1).float().sub_(centre).div_(scale)
    return rows.view(images, height, width, 3).permute(0, 3, 1, 2).to(dtype)


def height_and_width(size: Size) -> tuple[int, int]:
    """Height and width in pixels; a single number is the side of a square."""
    return (size, size) if isinstance(size, int) else size


@dataclass(frozen=True)
class _Span:
    """One axis of a centre crop.

    Attributes:
        start: Where the crop begins in the source image, in its pixels.
        stop: Where it ends.
        pixels: Length of what the image covers of the crop.
        margin: Pixels before it, in a crop that is larger than the image.
    """

    start: float
    stop: float
    pixels: int
    margin: int

    @classmethod
    def of(cls, source: int, resized: int, crop: int, rounded: Callable[[float], int]) -> Self:
        """The span of a source side that is resized to `resized` and cropped to `crop`."""
        if resized < crop:
            return cls(0, source, resized, (crop - resized) // 2)
        start, scale = rounded((resized - crop) / 2), source / resized
        return cls(start * scale, min((start + crop) * scale, source), crop, 0)

    def covered(self, crop: int) -> tuple[float, float]:
        """Where a crop of that side begins and ends in the source image, in its pixels."""
        per_pixel = (self.stop - self.start) / self.pixels
        start = self.start - self.margin * per_pixel
        return start, start + crop * per_pixel
