"""Loads an encoder by its name; each kind of name has a function."""

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from lowlabel.datasets import IMAGENET, check_pretraining
from lowlabel.errors import InputError, UnknownNameError
from lowlabel.features.models.aliases import ALIASES
from lowlabel.features.models.architectures import (
    native_resolution,
    protocol_transform,
    random_weights,
    resize_input,
    timm_transform,
)
from lowlabel.features.models.card import read_card
from lowlabel.features.models.checkpoint import Checkpoint, read_checkpoint
from lowlabel.features.models.encoders import Encoder, HubEncoder, Pixels, TimmEncoder
from lowlabel.features.models.hub import load_entry
from lowlabel.features.models.loading import Loaded, load_whole
from lowlabel.features.models.official import file_pretraining, hub_pretraining
from lowlabel.features.models.positions import (
    check_positions,
    official_positions,
    take_positions,
    use_dino_positions,
)
from lowlabel.features.models.pretrained import create_pretrained, holds_imagenet
from lowlabel.features.models.recognition import family, recognise
from lowlabel.features.models.shipped import SHIPPED_MODELS
from lowlabel.features.models.user_code import registered_code
from lowlabel.features.models.vit_layouts import HEAD_WIDTH
from lowlabel.features.transforms import ImageTransform
from lowlabel.specs import Option, format_spec, parse_spec

WEIGHTS_FILE = re.compile(
    r"(?P<path>.+\.(?:pth|pt|bin|tar|ckpt|pkl|safetensors))(?::(?P<arch>.+))?", re.IGNORECASE
)
_PIXELS_SIDE = 32
_HUB_SIDE = 224
FORMS = ("timm:NAME", "hub:REPO:ENTRY", "PATH.pth:ARCH", "random:ARCH", "pixels")


@dataclass(frozen=True)
class Source:
    """A loaded model that is not yet on a device; see `Backbone` for the attributes.

    `family` is the method whose layout a weights file has, such as "dinov2"; see `Recognised`.
    """

    name: str
    spec: str
    encoder: Encoder
    transform: ImageTransform
    pooling: str | None = None
    pretrained_on: str | None = None
    positions: str = ""
    notes: tuple[str, ...] = ()
    family: str = ""


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
    seed = _take_seed(options, f"of random:{name}")
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


def arch_spec(text: str | None) -> str:
    """What follows a path as `ARCH,option=value…`; ARCH may be left out: `option=value…`."""
    text = text or ""
    return f",{text}" if "=" in text.partition(",")[0] else text


def _file(path: Path, arch: str | None, resolution: int | None, any_size: bool) -> Source:
    name, options = parse_spec(arch_spec(arch))
    branch = options.pop("checkpoint_key", None)
    allow_missing, seed = options.pop("allow_missing", None), 0
    if allow_missing is not None:
        seed = _take_seed(options, f"of {path.name}")
    seen = _take_pretraining(options) or file_pretraining(path, name)
    checkpoint = read_checkpoint(path, None if branch is None else str(branch))
    method = family(checkpoint)
    network = _network(checkpoint, name, options)
    name, options = network.name, network.options
    rule = take_positions(options) or official_positions(name, method)
    native = native_resolution(name, options)
    side = resolution or network.side or native
    loaded = Loaded()

    def make(any_size: bool) -> nn.Module:
        nonlocal loaded
        module = random_weights(name, options, None, any_size, seed)
        loaded = load_whole(module, checkpoint, name, options, allow_missing)
        if side != native and not any_size:
            resize_input(module, side)
        return module

    encoder, positions = _sized(make, rule, side != native, any_size)
    transform = timm_transform(name, side) if "." in name else protocol_transform(side)
    drawn = {"allow_missing": allow_missing, "seed": seed} if loaded.initialised else {}
    spec = _spec("file", name, {**options, **drawn}, registered_code(name))
    notes = (*network.notes, *loaded.notes)
    if notes:
        warnings.warn(f"{path}: {'; '.join(notes)}", stacklevel=2)
    return Source(
        path.stem,
        spec,
        encoder,
        transform,
        network.pooling,
        seen,
        positions,
        notes,
        method,
    )


@dataclass(frozen=True)
class _Network:
    """The network of a weights file: named, from its card, or recognised.

    Attributes:
        side: Side of the images in pixels, if it is not the network's own.
        pooling: Pooling of the authors; None for timm's.
        notes: What was assumed.
    """

    name: str
    options: dict[str, Option]
    side: int | None = None
    pooling: str | None = None
    notes: tuple[str, ...] = ()


def _network(checkpoint: Checkpoint, name: str, options: dict[str, Option]) -> _Network:
    if name:
        return _Network(name, options)
    if card := read_card(checkpoint.path):
        name, own = parse_spec(card.architecture)
        side = card.resolution if "img_size" not in own else None
        return _Network(name, own | options, side)
    found = recognise(checkpoint)
    notes = [f"recognised {format_spec(found.architecture, found.options)}"]
    if found.heads_assumed and "num_heads" not in options:
        notes.append(f"heads assumed: {found.heads_assumed} of {HEAD_WIDTH} channels")
    return _Network(
        found.architecture,
        found.options | options,
        found.resolution,
        found.pooling,
        tuple(notes),
    )


def _take_seed(options: dict[str, Option], owner: str) -> int:
    seed = options.pop("seed", 0)
    if not isinstance(seed, int):
        raise InputError(f"seed={seed} {owner} must be an integer", "For example: seed=0")
    return seed


def _spec(kind: str, name: str, options: Mapping[str, Option], code: str | None) -> str:
    """The canonical name of a model, with the hash of the code that a user brings along."""
    return f"{kind}:{format_spec(name, {**options, 'code': code} if code else options)}"
