"""A composed transform of torchvision as the transform that lowlabel applies and records."""

from collections.abc import Iterable
from typing import Any

import torch
from torchvision import transforms
from torchvision.transforms import v2

from lowlabel.errors import InputError
from lowlabel.features.framing import INTERPOLATIONS
from lowlabel.features.transforms import ImageTransform, Size
from lowlabel.reading import reason

_COMPOSED = (transforms.Compose, v2.Compose)
_RESIZE = (transforms.Resize, v2.Resize)
_CROP = (transforms.CenterCrop, v2.CenterCrop)
_NORMALISE = (transforms.Normalize, v2.Normalize)
_TO_IMAGE = (transforms.PILToTensor, v2.PILToTensor, v2.ToImage, v2.RGB)
_FIX = (
    "Return a torchvision Compose of Resize, CenterCrop, ToTensor and Normalize, a "
    "lowlabel.features.transforms.ImageTransform, or the module alone."
)


def known_transform(given: object, model: str) -> ImageTransform:
    """The transform that a user's code returns.

    Args:
        given: An `ImageTransform`, or a `Compose` of torchvision: Resize, CenterCrop, the
            conversion to a tensor in [0, 1], Normalize.
        model: The model's name, for messages.

    Raises:
        InputError: If it is another, or its steps cannot be expressed.
    """
    if isinstance(given, ImageTransform):
        return given
    if not isinstance(given, _COMPOSED):
        raise InputError(f"{model} returns a {type(given).__name__} as its transform", _FIX)
    steps = list(_flat(given.transforms))
    known = (*_RESIZE, *_CROP, *_NORMALISE, *_TO_IMAGE)
    other = [s for s in steps if not isinstance(s, known) and not _scales(s)]
    resizes, crops, normal = (_of(steps, kinds) for kinds in (_RESIZE, _CROP, _NORMALISE))
    scaled = [step for step in steps if _scales(step)]
    order = [step for step in steps if step in (*resizes, *crops, *normal)]
    counts = len(resizes), len(crops), len(normal), len(scaled)
    if other or counts not in ((1, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 0, 0, 1)):
        named = ", ".join(type(step).__name__ for step in other or steps)
        raise InputError(f"the transform of {model} cannot be repeated here: {named}", _FIX)
    if order != [*resizes, *crops, *normal] or (
        normal and steps.index(normal[0]) < steps.index(scaled[0])
    ):
        raise InputError(f"the steps of the transform of {model} are in another order", _FIX)
    resize, crop, mode = _geometry(resizes[0], crops[0] if crops else None, model)
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    if normal:
        mean, std = (tuple(map(float, v)) for v in (normal[0].mean, normal[0].std))
    filtered = _interpolation(resizes[0], model)
    try:
        return ImageTransform(resize, crop, filtered, mean, std, crop_mode=mode)
    except (ValueError, ArithmeticError) as error:
        raise InputError(f"the transform of {model}: {reason(error)}", _FIX) from error


def _geometry(resize: Any, crop: Any, model: str) -> tuple[Size, Size, Any]:
    size = resize.size
    sides = [size] if isinstance(size, int) else list(size or [])
    if not sides or getattr(resize, "max_size", None):
        raise InputError(f"the Resize of {model} has a largest side", _FIX)
    whole: Size = int(sides[0]) if len(set(sides)) == 1 else (int(sides[0]), int(sides[1]))
    cropped = None if crop is None else _square(crop.size)
    if len(sides) == 2:
        return whole, cropped or whole, "squash"
    if cropped is None:
        raise InputError(f"the transform of {model} keeps the aspect ratio without a crop", _FIX)
    return whole, cropped, "center"


def _interpolation(resize: Any, model: str) -> str:
    name = str(getattr(resize.interpolation, "value", resize.interpolation))
    if name not in INTERPOLATIONS or resize.antialias is False:
        raise InputError(f"the Resize of {model} is {name}, antialias={resize.antialias}", _FIX)
    return name


def _scales(step: object) -> bool:
    """Whether a step gives a tensor of floats in [0, 1]."""
    if isinstance(step, v2.ToDtype):
        return bool(step.scale and step.dtype == torch.float32)
    if isinstance(step, transforms.ConvertImageDtype):
        return bool(step.dtype == torch.float32)
    return isinstance(step, transforms.ToTensor)


def _flat(steps: Iterable[Any]) -> Iterable[Any]:
    for step in steps:
        if isinstance(step, _COMPOSED):
            yield from _flat(step.transforms)
        else:
            yield step


def _of(steps: list[Any], kinds: tuple[type, ...]) -> list[Any]:
    return [step for step in steps if isinstance(step, kinds)]


def _square(size: Any) -> Size:
    height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[-1]))
    return height if height == width else (height, width)
