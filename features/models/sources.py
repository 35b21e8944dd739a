"""Loads an encoder by its name; each kind of name has a function."""

from dataclasses import replace

from torch import nn

from lowlabel.datasets import IMAGENET
from lowlabel.errors import DataError, InputError, UnknownNameError, UserError
from lowlabel.features.models.aliases import ALIASES
from lowlabel.features.models.architectures import (
    native_resolution,
    protocol_transform,
    random_weights,
    timm_transform,
)
from lowlabel.features.models.authors_file import authors_file
from lowlabel.features.models.code.user_code import registered_code
from lowlabel.features.models.encoders import HubEncoder, Pixels
from lowlabel.features.models.hub import load_entry
from lowlabel.features.models.identity import alias_identity, hub_alias
from lowlabel.features.models.libraries.catalogue import LIBRARIES
from lowlabel.features.models.official import hub_pretraining
from lowlabel.features.models.positions import take_positions
from lowlabel.features.models.pretrained import create_pretrained, holds_imagenet
from lowlabel.features.models.shipped import SHIPPED_MODELS
from lowlabel.features.models.source import (
    Source,
    canonical_spec,
    sized_encoder,
    take_pretraining,
    take_seed,
)
from lowlabel.features.models.weights_source import EXPORTED_NAME, file_source, named_file
from lowlabel.paths import expanded
from lowlabel.specs import Option, format_spec, parse_spec

_PIXELS_SIDE = 32
_HUB_SIDE = 224
FORMS = (
    *("timm:NAME", "hub:REPO:ENTRY", "PATH.pth:ARCH", "random:ARCH", "pixels"),
    *(library.form for library in LIBRARIES.values()),
)


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
    if kind in LIBRARIES and rest:
        return LIBRARIES[kind].load(rest, resolution, any_size)
    if named := named_file(spec):
        return file_source(*named, resolution, any_size)
    raise unknown_model(spec)


def unknown_model(spec: str) -> UserError:
    """The error for a name that no model has; a path is told as one."""
    name = spec.partition(":")[0]
    if "/" not in name:
        return UnknownNameError("model", spec, [*ALIASES, *SHIPPED_MODELS, *FORMS])
    hint = "Check the path given with --model."
    if expanded(name).is_dir():
        problem = f"the folder {name} holds no {EXPORTED_NAME}, which a training writes at its end"
        return DataError(problem, hint)
    if name.count("/") == 1 and name[0] not in "/.~":
        hint += f" A model of Hugging Face is hf:{name}, one for timm hf-hub:{name}."
    return DataError(f"there is no file or folder {name}", hint)


def published_spec(spec: str) -> str | None:
    """The canonical name of a model whose name alone tells its weights; None for others."""
    kind, _, rest = spec.partition(":")
    if alias := ALIASES.get(spec.partition(",")[0]):
        return f"timm:{alias.timm_name}" if alias.timm_name else None
    if kind != "timm" or not rest:
        return None
    name, options = parse_spec(rest)
    take_pretraining(options)
    take_positions(options)
    return canonical_spec("timm", name, options, registered_code(name))


def _alias(spec: str, resolution: int | None, any_size: bool) -> Source:
    name, options = alias_options(spec)
    alias = ALIASES[name]
    if not alias.timm_name:
        return _authors_file(spec, name, options, resolution, any_size)
    side = resolution or alias.resolution
    transform = timm_transform(alias.timm_name, side, alias.crop_fraction)

    def make(any_size: bool) -> nn.Module:
        return create_pretrained(alias.timm_name, {}, transform.side, any_size)

    native = native_resolution(alias.timm_name, {})
    rule = take_positions(options) or alias.positions
    encoder, positions = sized_encoder(make, rule, transform.crop != native, any_size)
    return Source(
        spec,
        f"timm:{alias.timm_name}",
        encoder,
        transform,
        alias.pooling,
        alias.pretrained_on,
        positions,
    )


def _authors_file(
    spec: str, name: str, options: dict[str, Option], resolution: int | None, any_size: bool
) -> Source:
    """An alias of weights that timm does not have."""
    alias = ALIASES[name]
    path = authors_file(alias.url, name)
    rule = {} if alias.positions == "timm" else {"pos_embed": alias.positions}
    network = format_spec(alias.architecture, {**rule, **options})
    source = file_source(path, network, resolution, any_size)
    return replace(
        source,
        name=spec,
        pooling=alias.pooling or source.pooling,
        pretrained_on=alias.pretrained_on,
        identities=(name,),
    )


def alias_options(spec: str) -> tuple[str, dict[str, Option]]:
    """Splits ALIAS[,pos_embed=…]; an `InputError` if it has another option."""
    name, options = parse_spec(spec)
    if unknown := options.keys() - {"pos_embed"}:
        timm_name = ALIASES[name].timm_name
        other = f" or timm:{timm_name},option=value" if timm_name else ""
        raise InputError(
            f"the alias {name} has no option {', '.join(sorted(unknown))}",
            f"Write {name}, {name},pos_embed=timm{other}.",
        )
    return name, options


def _shipped(name: str, resolution: int | None, any_size: bool) -> Source:
    model = SHIPPED_MODELS[name]
    source = file_source(model.path(name), None, resolution, any_size)
    resize = round(source.transform.side / model.crop_fraction)
    transform = replace(source.transform, resize=resize)
    return replace(source, transform=transform, pooling=model.pooling)


def _timm(rest: str, resolution: int | None, any_size: bool) -> Source:
    name, options = parse_spec(rest)
    shown = format_spec(name, options)
    seen, rule = take_pretraining(options), take_positions(options)

    side = resolution or native_resolution(name, options)
    # By DINO's rule each image is resampled, not the weights by timm's when they are loaded.
    made = {k: v for k, v in options.items() if rule != "dino" or k != "img_size"}

    def make(any_size: bool) -> nn.Module:
        return create_pretrained(name, made, resolution, any_size)

    native = native_resolution(name, made)
    seen = seen or (IMAGENET if holds_imagenet(name) else None)
    encoder, positions = sized_encoder(make, rule or "timm", side != native, any_size)
    spec = canonical_spec("timm", name, options, registered_code(name))
    transform = timm_transform(name, side)
    return Source(shown, spec, encoder, transform, pretrained_on=seen, positions=positions)


def _random(rest: str, resolution: int | None, any_size: bool) -> Source:
    name, options = parse_spec(rest)
    seed = take_seed(options, f"of random:{name}")
    rule = take_positions(options) or "timm"

    def make(any_size: bool) -> nn.Module:
        return random_weights(name, options, resolution, any_size, seed)

    native = native_resolution(name, options)
    side = resolution or native
    encoder, positions = sized_encoder(make, rule, side != native, any_size)
    spec = canonical_spec("random", name, {**options, "seed": seed}, registered_code(name))
    return Source(f"random:{rest}", spec, encoder, protocol_transform(side), positions=positions)


def _hub(rest: str, resolution: int | None) -> Source:
    repository, separator, entry = rest.rpartition(":")
    if not separator:
        raise InputError(f"hub:{rest} names no entry point", "Write hub:REPO:ENTRY.")
    entry, options = parse_spec(entry)
    seen = take_pretraining(options) or hub_pretraining(repository, entry)
    if options:
        raise InputError(
            f"hub:{rest} has options that hub models do not take: {', '.join(options)}",
            "Write hub:REPO:ENTRY or hub:REPO:ENTRY,pretrained_on=NAME.",
        )
    module, code = load_entry(repository, entry)
    alias, encoder = hub_alias(repository, entry), HubEncoder(module)
    if alias and ALIASES[alias].pooling == "cls" and not encoder.gives_tokens:
        alias = None  # another network of that name
    return Source(
        entry,
        canonical_spec("hub", entry, {}, code),
        encoder,
        protocol_transform(resolution or _HUB_SIDE),
        ALIASES[alias].pooling if alias else None,
        seen,
        identities=(alias_identity(alias),) if alias else (),
    )
