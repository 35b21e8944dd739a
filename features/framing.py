"""Framing of images in the model's input: cropped, resized to a square, or in full."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, cast, get_args

from lowlabel.datasets.io.pixels import Orientation
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features.transforms import ImageTransform, Size, WholeImage

Framing = Literal["crop", "square", "longest"]
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")


def known_framing(name: str | None) -> Framing | None:
    """Returns `name` as a framing; an unknown name is an `UnknownNameError`."""
    if name is not None and name not in get_args(Framing):
        raise UnknownNameError("framing", name, get_args(Framing))
    return cast(Framing | None, name)


def check_framing(
    framing: str,
    scales: Sequence[float],
    resize: int | None = None,
    interpolation: str | None = None,
) -> None:
    """Raises an `UnknownNameError` or `InputError` unless the options exist and fit together."""
    known_framing(framing)
    if interpolation is not None and interpolation not in INTERPOLATIONS:
        raise UnknownNameError("interpolation", interpolation, INTERPOLATIONS)
    if resize is not None and framing != "crop":
        raise InputError(
            f"resize={resize} is the side before a centre crop, and framing={framing} has none",
            "Leave --resize out, or choose a --dataset with classes. The side of whole images is "
            "--resolution.",
        )
    if not scales or not all(0 < scale <= 4 for scale in scales):
        raise InputError(f"scales={tuple(scales)} must be one or more factors in (0, 4]")
    if framing == "crop" and tuple(scales) != (1.0,):
        raise InputError(
            f"scales={tuple(scales)} need whole images, not framing=crop",
            "Add --framing longest or --framing square.",
        )


def needs_any_size(framing: Framing, scales: Sequence[float]) -> bool:
    """Whether the model must take images of more than one size."""
    return framing == "longest" or tuple(scales) != (1.0,)


def frame(
    transform: ImageTransform,
    framing: Framing,
    scales: Sequence[float],
    resolution: int | None,
    orientation: Orientation = "stored",
    resize: int | None = None,
    interpolation: str | None = None,
) -> ImageTransform | WholeImage:
    """Applies a framing to a model's preprocessing.

    By default, whole images with their aspect ratio are resized by Lanczos as in Radenović et al.,
    others by the interpolation of the model's transform.

    Args:
        transform: The model's preprocessing.
        framing: The framing.
        scales: See `WholeImage`.
        resolution: Side in pixels; None for the model's own.
        orientation: See `ImageTransform`.
        resize: Length of the shorter side before the crop, in pixels; None for the model's own.
        interpolation: See `ImageTransform`; None for the default.

    Raises:
        InputError: If images would be smaller than the crop.
    """
    if framing == "crop":
        return replace(
            transform,
            resize=transform.resize if resize is None else _before_crop(resize, transform),
            interpolation=interpolation or transform.interpolation,
            orientation=orientation,
        )
    keep_aspect = framing == "longest"
    return WholeImage(
        resolution or transform.side,
        keep_aspect,
        tuple(map(float, scales)),
        interpolation or ("lanczos" if keep_aspect else transform.interpolation),
        transform.mean,
        transform.std,
        orientation,
    )


def _before_crop(resize: int, transform: ImageTransform) -> Size:
    """Size before the crop, whose shorter side is `resize`."""
    height, width = transform.blank
    shorter = min(height, width)
    if resize < shorter:
        raise InputError(
            f"resize={resize} is smaller than the crop of {shorter} pixels",
            f"Take --resize {shorter} or more, or a smaller --resolution.",
        )
    if height == width:
        return resize
    return resize * height // shorter, resize * width // shorter
