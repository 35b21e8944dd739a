"""Loads an encoder by its name; each kind of name has a function."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

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
from lowlabel.features.models.positions import (
    check_positions,
    official_positions,
    take_positions,
    use_dino_positions,
)
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
    positions: str = ""


def open_source(spec: str, resolution: int | None, any_size: bool = False) -> Source:
    """Loads the model that `spec` names; see `load_backbone`.

    With `any_size`, the model is created at its own size and takes images of any size.
    """
    kind, _, rest = spec.partition(":")
    if spec == "pixels":
        side = (None if any_size else resolution) or _PIXELS_SIDE
        return Source("pixels", "pixels", Pixels(side), protocol_transform(side))
    if spec.partition(",")[0] in ALIASES:
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
    if alias := ALIASES.get(spec.partition(",")[0]):
        return f"timm:{alias.timm_name}"
    if kind != "timm" or not rest:
        return None
    name, options = parse_spec(rest)
    _take_pretraining(options)
    take_positions(options)
    return _spec("timm", name, options, registered_code(name))


def _alias(spec: str, resolution: int | None, any_size: bool) -> Source:
    name, options = alias_options(spec)
    alias = ALIASES[name]
    side = resolution or alias.resolution
    transform = timm_transform(alias.timm_name, side, alias.crop_fraction)

    def make(any_size: bool) -> nn.Module:
        return create_pretrained(alias.timm_name, {}, transform.side, any_size)

    native = native_resolution(alias.timm_name, {})
    rule = take_positions(options) or alias.positions
    encoder, positions = _sized(make, rule, transform.crop != native, any_size)
    return Source(
        spec,
        f"timm:{alias.timm_name}",
        encoder,
        transform,
        alias.pooling,
        alias.pretrained_on,
        positions,
    )


def alias_options(spec: str) -> tuple[str, dict[str, Option]]:
    """Splits ALIAS[,pos_embed=…]; an `InputError` if it has another option."""
    name, options = parse_spec(spec)
    if unknown := options.keys() - {"pos_embed"}:
        raise InputError(
            f"the alias {name} has no option {', '.join(sorted(unknown))}",
            f"Write {name}, {name},pos_embed=timm or timm:{ALIASES[name].timm_name},option=value.",
        )
    return name, options


def _sized(
    make: Callable[[bool], nn.Module], rule: str, resized: bool, any_size: bool
) -> tuple[Encoder, str]:
    """Makes a network of timm whose position embeddings are resampled by a rule.

    Args:
        make: Makes the network, for images of any size if its argument is true.
        rule: "timm" or "dino".
        resized: Whether images have another size than the network's own.
        any_size: Whether images have more than one size.

    Returns:
        The encoder, and "dino" if DINO's rule is applied; see `Source`.
    """
    as_dino = rule == "dino" and (resized or any_size)
    module = make(any_size or as_dino)
    if rule == "dino":
        check_positions(module)
    if as_dino:
        use_dino_positions(module)
    return TimmEncoder(module), "dino" if as_dino else ""


def _shipped(name: str, resolution: int | None, any_size: bool) -> Source:
    model = SHIPPED_MODELS[name]
    source = _file(model.path(name), None, resolution, any_size)
    crop = source.transform.crop
    transform = replace(source.transform, resize=round(crop / model.crop_fraction))
    return replace(source, transform=transform, pooling=model.pooling)


def _timm(rest: str, resolution: int | None, any_size: bool) -> Source:
    name, options = parse_spec(rest)
    shown = format_spec(name, options)
    seen, rule = _take_pretraining(options), take_positions(options)

    def make(any_size: bool) -> nn.Module:
        return create_pretrained(name, options, resolution, any_size)

    native = native_resolution(name, options)
    side = resolution or native
    seen = seen or (IMAGENET if holds_imagenet(name) else None)
    encoder, positions = _sized(make, rule or "timm", side != native, any_size)
    spec = _spec("timm", name, options, registered_code(name))
    transform = timm_transform(name, side)
    return Source(shown, spec, encoder, transform, pretrained_on=seen, positions=positions)


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
    rule = take_positions(options) or "timm"

    def make(any_size: bool) -> nn.Module:
        return random_weights(name, options, resolution, any_size, seed)

    native = native_resolution(name, options)
    side = resolution or native
    encoder, positions = _sized(make, rule, side != native, any_size)
    spec = _spec("random", name, {**options, "seed": seed}, registered_code(name))
    return Source(f"random:{name}", spec, encoder, protocol_transform(side), positions=positions)


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
    rule = take_positions(options) or official_positions(name)
    native = native_resolution(name, options)
    trained = card.resolution if card and "img_size" not in options else native
    side = resolution or trained

    def make(any_size: bool) -> nn.Module:
        module = create(name, options, any_size=any_size, pretrained=False)
        load_into(module, checkpoint)
        if side != native and not any_size:
            resize_input(module, side)
        return module

    encoder, positions = _sized(make, rule, side != native, any_size)
    transform = timm_transform(name, side) if "." in name else protocol_transform(side)
    spec = _spec("file", name, options, registered_code(name))
    return Source(path.stem, spec, encoder, transform, pretrained_on=seen, positions=positions)


def _spec(kind: str, name: str, options: Mapping[str, Option], code: str | None) -> str:
    """The canonical name of a model, with the hash of the code that a user brings along."""
    return f"{kind}:{format_spec(name, {**options, 'code': code} if code else options)}"
