"""Framing of images in the model's input: cropped, resized to a square, or in full."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, cast, get_args

from lowlabel.datasets.io.pixels import Orientation
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features.transforms import ImageTransform, WholeImage

Framing = Literal["crop", "square", "longest"]


def known_framing(name: str | None) -> Framing | None:
    """Returns `name` as a framing; an unknown name is an `UnknownNameError`."""
    if name is not None and name not in get_args(Framing):
        raise UnknownNameError("framing", name, get_args(Framing))
    return cast(Framing | None, name)


def check_framing(framing: str, scales: Sequence[float]) -> None:
    """Raises an `UnknownNameError` or `InputError` unless the options exist and fit together."""
    known_framing(framing)
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
) -> ImageTransform | WholeImage:
    """Applies a framing to a model's preprocessing.

    Whole images with their aspect ratio are resized by Lanczos as in Radenović et al., squares by
    the interpolation of the model's transform.

    Args:
        transform: The model's preprocessing.
        framing: The framing.
        scales: See `WholeImage`.
        resolution: Side in pixels; None for the model's own.
        orientation: See `ImageTransform`.
    """
    if framing == "crop":
        return replace(transform, orientation=orientation)
    keep_aspect = framing == "longest"
    return WholeImage(
        resolution or transform.crop,
        keep_aspect,
        tuple(map(float, scales)),
        "lanczos" if keep_aspect else transform.interpolation,
        transform.mean,
        transform.std,
        orientation,
    )
