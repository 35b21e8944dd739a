"""Loads an encoder by its name; each kind of name has a function."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lowlabel.datasets import IMAGENET, check_pretraining
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features.models.aliases import ALIASES
from lowlabel.features.models.architectures import (
    create,
    infer_architecture,
    native_resolution,
    protocol_transform,
    random_weights,
    resize_input,
    timm_transform,
)
from lowlabel.features.models.checkpoint import load_into, read_card, read_checkpoint
from lowlabel.features.models.encoders import Encoder, HubEncoder, Pixels, TimmEncoder
from lowlabel.features.models.hub import load_entry
from lowlabel.features.models.official import file_pretraining, hub_pretraining
from lowlabel.features.models.pretrained import create_pretrained, holds_imagenet
from lowlabel.features.models.shipped import SHIPPED_MODELS
from lowlabel.features.models.user_code import registered_code
from lowlabel.features.transforms import ImageTransform
from lowlabel.specs import Option, format_spec, parse_spec

WEIGHTS_FILE = re.compile(r"(?P<path>.+\.(?:pth|pt|bin|tar|safetensors))(?::(?P<arch>.+))?")
_PIXELS_SIDE = 32
_HUB_SIDE = 224
FORMS = ("timm:NAME", "hub:REPO:ENTRY", "PATH.pth:ARCH", "random:ARCH", "pixels")


@dataclass(frozen=True)
class Source:
    """A loaded model that is not yet on a device; see `Backbone` for the attributes."""

    name: str
    spec: str
    encoder: Encoder
    transform: ImageTransform
    pooling: str | None = None
    pretrained_on: str | None = None


def open_source(spec: str, resolution: int | None, any_size: bool = False) -> Source:
    """Loads the model that `spec` names; see `load_backbone`.

    With `any_size`, the model is created at its own size and takes images of any size.
    """
    kind, _, rest = spec.partition(":")
    if spec == "pixels":
        side = (None if any_size else resolution) or _PIXELS_SIDE
        return Source("pixels", "pixels", Pixels(side), protocol_transform(side))
    if spec in ALIASES:
        return _alias(spec, resolution, any_size)
    if spec in SHIPPED_MODELS:
        return _shipped(spec, resolution, any_size)
    if kind == "timm" and rest:
        return _timm(rest, resolution, any_size)
    if kind == "random" and rest:
        return _random(rest, resolution, any_size)
    if kind == "hub" and rest:
        return _hub(rest, resolution)
    if match := WEIGHTS_FILE.fullmatch(spec):
        return _file(Path(match["path"]).expanduser(), match["arch"], resolution, any_size)
    raise UnknownNameError("model", spec, [*ALIASES, *SHIPPED_MODELS, *FORMS])


def published_spec(spec: str) -> str | None:
    """The canonical name of a model whose name alone tells its weights; None for others."""
    kind, _, rest = spec.partition(":")
    if spec in ALIASES:
        return f"timm:{ALIASES[spec].timm_name}"
    if kind != "timm" or not rest:
        return None
    name, options = parse_spec(rest)
    _take_pretraining(options)
    return _spec("timm", name, options, registered_code(name))


def _alias(name: str, resolution: int | None, any_size: bool) -> Source:
    alias = ALIASES[name]
    side = resolution or alias.resolution
    transform = timm_transform(alias.timm_name, side, alias.crop_fraction)
    size = None if any_size else transform.crop
    encoder = TimmEncoder(create_pretrained(alias.timm_name, {}, size, any_size))
    spec = f"timm:{alias.timm_name}"
    return Source(name, spec, encoder, transform, alias.pooling, alias.pretrained_on)


def _shipped(name: str, resolution: int | None, any_size: bool) -> Source:
    model = SHIPPED_MODELS[name]
    source = _file(model.path(name), None, resolution, any_size)
    crop = source.transform.crop
    transform = replace(source.transform, resize=round(crop / model.crop_fraction))
    return replace(source, transform=transform, pooling=model.pooling)


def _timm(rest: str, resolution: int | None, any_size: bool) -> Source:
    name, options = parse_spec(rest)
    seen = _take_pretraining(options)
    encoder = TimmEncoder(create_pretrained(name, options, resolution, any_size))
    seen = seen or (IMAGENET if holds_imagenet(name) else None)
    side = resolution or native_resolution(name, options)
    shown, spec = format_spec(name, options), _spec("timm", name, options, registered_code(name))
    return Source(shown, spec, encoder, timm_transform(name, side), pretrained_on=seen)


def _take_pretraining(options: dict[str, Option]) -> str | None:
    """Removes the option `pretrained_on`, which describes the weights and not the network."""
    name = options.pop("pretrained_on", None)
    if name is None:
        return None
    check_pretraining(str(name))
    return str(name)


def _random(rest: str, resolution: int | None, any_size: bool) -> Source:
    name, options = parse_spec(rest)
    seed = options.pop("seed", 0)
    if not isinstance(seed, int):
        raise InputError(
            f"seed={seed} of random:{name} must be an integer",
            f"For example: --model random:{name},seed=0",
        )
    encoder = TimmEncoder(random_weights(name, options, resolution, any_size, seed))
    side = resolution or native_resolution(name, options)
    spec = _spec("random", name, {**options, "seed": seed}, registered_code(name))
    return Source(f"random:{name}", spec, encoder, protocol_transform(side))


def _hub(rest: str, resolution: int | None) -> Source:
    repository, separator, entry = rest.rpartition(":")
    if not separator:
        raise InputError(f"hub:{rest} names no entry point", "Write hub:REPO:ENTRY.")
    entry, options = parse_spec(entry)
    seen = _take_pretraining(options) or hub_pretraining(repository, entry)
    if options:
        raise InputError(
            f"hub:{rest} has options that hub models do not take: {', '.join(options)}",
            "Write hub:REPO:ENTRY or hub:REPO:ENTRY,pretrained_on=NAME.",
        )
    module, code = load_entry(repository, entry)
    transform = protocol_transform(resolution or _HUB_SIDE)
    spec = _spec("hub", entry, {}, code)
    return Source(entry, spec, HubEncoder(module), transform, pretrained_on=seen)


def _file(path: Path, arch: str | None, resolution: int | None, any_size: bool) -> Source:
    name, options = parse_spec(arch) if arch else ("", {})
    branch = options.pop("checkpoint_key", None)
    seen = _take_pretraining(options) or file_pretraining(path, name)
    checkpoint = read_checkpoint(path, None if branch is None else str(branch))
    card = None if name else read_card(path)
    if card:
        name, options = parse_spec(card.architecture)
    elif not name:
        name, options = infer_architecture(checkpoint)
    module = create(name, options, any_size=any_size, pretrained=False)
    load_into(module, checkpoint)
    native = native_resolution(name, options)
    trained = card.resolution if card and "img_size" not in options else native
    side = resolution or trained
    if side != native and not any_size:
        resize_input(module, side)
    tagged = "." in name
    transform = timm_transform(name, side) if tagged else protocol_transform(side)
    spec = _spec("file", name, options, registered_code(name))
    return Source(path.stem, spec, TimmEncoder(module), transform, pretrained_on=seen)


def _spec(kind: str, name: str, options: Mapping[str, Option], code: str | None) -> str:
    """The canonical name of a model, with the hash of the code that a user brings along."""
    return f"{kind}:{format_spec(name, {**options, 'code': code} if code else options)}"
