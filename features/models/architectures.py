"""Architectures of timm without weights."""

import inspect
import math
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, cast, get_args

import timm
import torch
from torch import nn

from lowlabel.errors import InputError, UnknownNameError, UserError
from lowlabel.features.models.option_limits import check_options, check_size
from lowlabel.features.transforms import CropMode, ImageTransform, Size, height_and_width
from lowlabel.reading import reason
from lowlabel.specs import Option, format_spec

PROTOCOL_CROP_FRACTION = 0.875
_TIMMS = "Write options as ARCH,option=value with the names of the model's timm class."
_UNKNOWN_OPTION = re.compile(
    r"(?P<made>\w+)(\.__init__)?\(\) got an unexpected keyword argument '(?P<option>\w+)'"
)


def create(
    name: str,
    options: Mapping[str, Option],
    resolution: int | None = None,
    any_size: bool = False,
    **extra: Any,
) -> nn.Module:
    """Creates a timm model without a classifier.

    Args:
        name: The architecture, with or without a tag.
        options: Options of the model, passed to `timm.create_model`.
        resolution: Side of the images in pixels, for models with a fixed input size.
        any_size: Whether the model must take images of any size. Position embeddings are then
            resampled from the model's own size for each image.
        extra: Further arguments of `timm.create_model`, such as `pretrained=True`.

    Raises:
        InputError: If timm has no such architecture, or the architecture no such option.
    """
    check_architecture(name)
    check_options(name, options)
    arguments = {"num_classes": 0, **extra, **options}
    if resolution and not any_size and "img_size" not in options and has_fixed_input(name):
        arguments["img_size"] = resolution
    try:
        if options:
            check_size(name, arguments)
        if any_size:
            with suppress(TypeError):  # convolutional networks have no such option
                return _made(name, {**arguments, "dynamic_img_size": True})
        return _made(name, arguments)
    except UserError:
        raise
    except (AssertionError, ValueError) as error:
        given = format_spec(name, {**options, "img_size": arguments.get("img_size", "its own")})
        raise InputError(
            f"timm cannot make {given}: {str(error) or type(error).__name__}",
            "Choose another --resolution, or other options of the architecture.",
        ) from error
    except TypeError as error:
        if unknown := _UNKNOWN_OPTION.search(str(error)):
            option = unknown["option"]
            similar = UnknownNameError("option", option, _options_of(name, unknown["made"])).hint
            raise InputError(
                f"{name} does not accept the options {option}", similar or _TIMMS
            ) from error
        raise InputError(
            f"{name} does not accept the options {', '.join(options) or 'given'}: {reason(error)}",
            _TIMMS,
        ) from error
    except (RuntimeError, LookupError, AttributeError, ArithmeticError, MemoryError) as error:
        if not options:
            raise
        raise InputError(
            f"timm cannot make {format_spec(name, options)}: {reason(error)}",
            "Choose other options of the architecture.",
        ) from error


def _made(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    module: nn.Module = timm.create_model(name, **arguments)
    return module.eval()


def check_architecture(name: str) -> None:
    """Raises an `InputError` with the nearest names unless timm has an architecture and its tag."""
    if not timm.is_model(name.partition(".")[0]):
        close = get_close_matches(name, [*timm.list_models(), *timm.list_pretrained()], n=3)
        hint = f"Did you mean {' or '.join(close)}? " if close else ""
        raise InputError(
            f"timm has no architecture {name!r}", f"{hint}List them: timm.list_models('*vit*')"
        )
    with suppress(RuntimeError):  # of an unknown tag
        timm.get_pretrained_cfg(name)
        return
    raise unpublished(name)


def unpublished(name: str) -> InputError:
    """The error of a tagged name that timm has no weights for."""
    architecture = name.partition(".")[0]
    published = timm.list_pretrained(f"{architecture}.*")
    return InputError(
        f"timm publishes no weights {name!r}",
        f"Published for {architecture}: {', '.join(published) or 'none'}. "
        f"Untrained: random:{architecture}",
    )


def has_fixed_input(name: str) -> bool:
    """Whether a model's position embeddings fix the image size."""
    config = timm.get_pretrained_cfg(name)
    return config is not None and bool(config.fixed_input_size)


def native_resolution(name: str, options: Mapping[str, Option]) -> Size:
    """Returns the side of the images that an architecture is made for, in pixels.

    (height, width) if they are no squares.

    Raises:
        InputError: If timm has no such architecture.
    """
    check_architecture(name)
    check_options(name, options)
    side = options.get("img_size")
    if side is None:
        config = timm.get_pretrained_cfg(name)
        side = tuple(config.input_size[-2:]) if config else 224
    if isinstance(side, tuple):
        height, width = int(side[0]), int(side[-1])
        return height if height == width else (height, width)
    return int(side)


def protocol_transform(resolution: Size) -> ImageTransform:
    """Returns the default preprocessing: Resize(256) → CenterCrop(224), scaled to `resolution`."""
    sides = [round(side / PROTOCOL_CROP_FRACTION) for side in height_and_width(resolution)]
    return ImageTransform(_same_kind(resolution, sides), resolution)


def timm_transform(
    name: str, resolution: Size | None = None, crop_fraction: float | None = None
) -> ImageTransform:
    """Returns timm's preprocessing for a tagged model, at `resolution` if given."""
    config = timm.get_pretrained_cfg(name).to_dict()
    return config_transform(config, resolution or native_resolution(name, {}), crop_fraction)


def config_transform(
    pretrained_cfg: Mapping[str, Any], crop: Size, crop_fraction: float | None = None
) -> ImageTransform:
    """Returns the preprocessing in timm's configuration of weights, for images of a size."""
    config = timm.data.resolve_data_config({}, pretrained_cfg=dict(pretrained_cfg))
    fraction = crop_fraction or config["crop_pct"]
    sides = [math.floor(side / fraction) for side in height_and_width(crop)]
    return ImageTransform(
        _same_kind(crop, sides),
        crop,
        config["interpolation"],
        tuple(config["mean"]),
        tuple(config["std"]),
        crop_mode=_crop_mode(config["crop_mode"]),
    )


def _crop_mode(name: str) -> CropMode:
    """The crop mode of that name; timm crops by the centre in every mode that it does not know."""
    return cast(CropMode, name) if name in get_args(CropMode) else "center"


def _same_kind(size: Size, sides: list[int]) -> Size:
    return sides[0] if isinstance(size, int) else (sides[0], sides[1])


def resize_input(module: nn.Module, resolution: Size) -> None:
    """Resamples a loaded model's position embeddings for images of another size."""
    set_input_size = getattr(module, "set_input_size", None)
    if set_input_size is not None:
        set_input_size(img_size=height_and_width(resolution))


def random_weights(
    name: str, options: Mapping[str, Option], resolution: int | None, any_size: bool, seed: int
) -> nn.Module:
    """Creates an untrained model whose initial weights depend on `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return create(name, options, resolution, any_size, pretrained=False)


def _options_of(name: str, made: str) -> list[str]:
    """Options of the class or function of timm that makes an architecture."""
    module = sys.modules[timm.models.model_entrypoint(name.partition(".")[0]).__module__]
    parameters = (
        inspect.signature(getattr(module, made)).parameters if hasattr(module, made) else {}
    )
    return [option for option in parameters if option not in ("args", "kwargs")]
