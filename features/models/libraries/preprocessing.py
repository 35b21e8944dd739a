"""Preprocessing that a source describes by numbers, as a transform."""

from collections.abc import Sequence
from typing import Any

from lowlabel.errors import DataError, InputError
from lowlabel.features.framing import INTERPOLATIONS
from lowlabel.features.transforms import ImageTransform, Size
from lowlabel.specs import Option

COLOURS = ("mean", "std")


def take_colours(options: dict[str, Option]) -> dict[str, tuple[float, ...]]:
    """Removes the options `mean` and `std`, of values in [0, 1]: a number, or one for each channel.

    Raises:
        InputError: If one has another form.
    """
    found: dict[str, tuple[float, ...]] = {}
    for name in COLOURS:
        if name not in options:
            continue
        value = options.pop(name)
        every = value if isinstance(value, tuple) else (value,) * 3
        numbers = tuple(float(each) for each in every if isinstance(each, int | float))
        if len(numbers) != 3 or len(every) != 3 or (name == "std" and min(numbers) <= 0):
            raise InputError(
                f"{name}={value} must be one number or three", "Write mean=(0.485,0.456,0.406)."
            )
        found[name] = numbers
    return found


def squash_or_crop(
    size: Any,
    mode: str,
    interpolation: str,
    mean: Sequence[float],
    std: Sequence[float],
    model: str,
) -> ImageTransform:
    """A transform to one size: "shortest" resizes the shorter side and crops, "squash" both.

    Raises:
        DataError: If the mode or the interpolation is another.
    """
    if mode not in ("shortest", "squash") or interpolation not in INTERPOLATIONS:
        raise DataError(
            f"the preprocessing of {model} cannot be repeated here: {mode}, {interpolation}",
            "lowlabel resizes to one size or to the shorter side, with nearest, bilinear, bicubic "
            "or lanczos.",
        )
    side: Size = size if isinstance(size, int) else (int(size[0]), int(size[-1]))
    if isinstance(side, tuple) and side[0] == side[1]:
        side = side[0]
    return ImageTransform(
        side,
        side,
        interpolation,
        tuple(map(float, mean)),
        tuple(map(float, std)),
        crop_mode="squash" if mode == "squash" else "center",
    )
