"""Models in weights files: `PATH.pth[:ARCH[,option=value…]]`, or `FOLDER[:option=value…]`."""

import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from lowlabel.features.models.architectures import (
    native_resolution,
    protocol_transform,
    random_weights,
    resize_input,
    timm_transform,
)
from lowlabel.features.models.checkpoints.card import Card, read_card
from lowlabel.features.models.checkpoints.checkpoint import Checkpoint, read_checkpoint
from lowlabel.features.models.checkpoints.loading import Loaded, load_whole
from lowlabel.features.models.checkpoints.metric_learning import metric_learning
from lowlabel.features.models.checkpoints.recognition import (
    authors_family,
    recognise,
    recognised,
)
from lowlabel.features.models.checkpoints.vit_layouts import HEAD_WIDTH, VitTensors
from lowlabel.features.models.code.user_code import registered_code
from lowlabel.features.models.identity import file_identities, is_plain
from lowlabel.features.models.official import file_pretraining
from lowlabel.features.models.positions import official_positions, take_positions
from lowlabel.features.models.source import (
    Source,
    canonical_spec,
    sized_encoder,
    take_pretraining,
    take_seed,
)
from lowlabel.features.models.tuned import (
    BACKBONE,
    EMBEDDING,
    Tuned,
    take_head,
    tuned_model,
    without_head,
)
from lowlabel.features.transforms import Size
from lowlabel.paths import expanded
from lowlabel.reading import reading
from lowlabel.specs import Option, format_spec, parse_spec

EXPORTED_NAME = "backbone.safetensors"
_WEIGHTS_FILE = re.compile(
    r"(?P<path>.+\.(?:pth|pt|bin|tar|ckpt|pkl|safetensors))(?::(?P<arch>.+))?", re.IGNORECASE
)


def named_file(spec: str) -> tuple[Path, str | None] | None:
    """The weights file that a model's name means, and what follows it; None for other names.

    A folder means the weights that a training exported into it.
    """
    if match := _WEIGHTS_FILE.fullmatch(spec):
        return expanded(match["path"]), match["arch"]
    folder, _, arch = spec.partition(":")
    path = expanded(folder) / EXPORTED_NAME
    return (path, arch or None) if path.is_file() else None


def arch_spec(text: str | None) -> str:
    """What follows a path as `ARCH,option=value…`; ARCH may be left out: `option=value…`."""
    text = text or ""
    return f",{text}" if "=" in text.partition(",")[0] else text


def file_source(path: Path, arch: str | None, resolution: int | None, any_size: bool) -> Source:
    """Loads the model in a weights file; what was assumed, left out or resampled is a warning.

    Args:
        path: The file.
        arch: What follows the path in the model's name.
        resolution: Side of the images in pixels; None for the model's own.
        any_size: Whether the model must take images of any size.
    """
    name, options = parse_spec(arch_spec(arch))
    branch = options.pop("checkpoint_key", None)
    allow_missing, seed = options.pop("allow_missing", None), 0
    if allow_missing is not None:
        seed = take_seed(options, f"of {path.name}")
    head, seen = take_head(options), take_pretraining(options) or file_pretraining(path, name)
    branch = None if branch is None else str(branch)
    checkpoint, named = read_checkpoint(path, branch), name
    other_shapes = f"{path} has tensors of other shapes than the network of their names"
    with reading(path, other_shapes, f"Name its architecture: --model {path}:ARCH"):
        card = own = read_card(path)
        if card is None and (found := metric_learning(checkpoint, wanted=head == EMBEDDING)):
            checkpoint, card = found
        seen = seen or (card.pretrained_on if card else None)
        tuned = tuned_model(checkpoint, card, head)
        if tuned and head != BACKBONE:
            checkpoint = without_head(checkpoint)
        network = _network(checkpoint, card, name, options)
        held = _side_of_positions(checkpoint)
    name, options = network.name, network.options
    rule = take_positions(options) or official_positions(name, network.family)
    native = native_resolution(name, options)
    side = resolution or network.side or native
    made = options
    if rule == "dino" and held:  # each image is resampled by the rule, not the file by timm's
        native, made = held, (options if held == native else {**options, "img_size": held})
    loaded, heads = Loaded(), 0

    def make(any_size: bool) -> nn.Module:
        nonlocal loaded, heads
        module = random_weights(name, made, None, any_size, seed)
        with reading(path, other_shapes, f"Name its architecture: --model {path}:ARCH"):
            loaded = load_whole(module, checkpoint, name, made, allow_missing)
        heads = _heads(module)
        if side != native and not any_size:
            resize_input(module, side)
        return module

    encoder, positions = sized_encoder(make, rule, side != native, any_size)
    transform = tuned.transform.at(side) if tuned and tuned.transform else None
    if transform is None:
        transform = timm_transform(name, side) if "." in name else protocol_transform(side)
    drawn = {"allow_missing": allow_missing, "seed": seed} if loaded.initialised else {}
    shape = {"head": str(tuned.shape)} if tuned and head != BACKBONE else {}
    spec = canonical_spec("file", name, {**options, **drawn, **shape}, registered_code(name))
    notes = (*network.notes, *_other_heads(network.heads, heads), *loaded.notes)
    if notes:
        warnings.warn(f"{path}: {'; '.join(notes)}", stacklevel=2)
    source = Source(
        (card.name if card else "") or path.stem,
        spec,
        encoder,
        transform,
        network.pooling,
        seen,
        positions,
        notes,
        epochs=card.epochs if card else checkpoint.epoch,
    )
    identities = own.identities if own else file_identities(path, named, name, branch)
    altered = loaded.initialised or not (own or is_plain(name, options))
    source = replace(source, identities=() if altered else identities)
    return _tuned_source(source, tuned, checkpoint, head) if tuned else source


def _tuned_source(source: Source, tuned: Tuned, checkpoint: Checkpoint, head: str | None) -> Source:
    """The source with its embedding head, or with what the head takes."""
    name, seen = tuned.name or source.name, source.pretrained_on or tuned.pretrained_on
    if head == BACKBONE:
        return replace(
            source,
            name=f"{name}, backbone",
            pooling=tuned.shape.input,
            pretrained_on=seen,
            tuning=tuned.backbone_tuning,
            identities=tuned.backbone_identities,
        )
    return replace(
        source,
        name=name,
        encoder=tuned.encoder(source.encoder, checkpoint),
        pooling="head",
        pretrained_on=seen,
        tuning=tuned.tuning,
    )


@dataclass(frozen=True)
class _Network:
    """The network of a weights file: named, from its card, or recognised.

    Attributes:
        family: Method whose authors' names the file has; empty if unknown.
        side: Side of the images in pixels, if it is not the network's own.
        pooling: Pooling of the authors; None for timm's.
        notes: What was assumed.
        heads: Number of heads that the file's method has, beside a named architecture; 0 if the
            file does not tell.
    """

    name: str
    options: dict[str, Option]
    family: str = ""
    side: Size | None = None
    pooling: str | None = None
    notes: tuple[str, ...] = ()
    heads: int = 0


def _network(
    checkpoint: Checkpoint, card: Card | None, name: str, options: dict[str, Option]
) -> _Network:
    if name:
        found = recognised(checkpoint)
        heads = found.options.get("num_heads") if found and "num_heads" not in options else None
        family = found.authors_family if found else ""
        return _Network(name, options, family, heads=heads if isinstance(heads, int) else 0)
    if card:
        name, own = parse_spec(card.architecture)
        sized = options if card.transform else own | options
        side = card.resolution if "img_size" not in sized else None
        return _Network(name, own | options, authors_family(checkpoint), side)
    found = recognise(checkpoint)
    notes = [f"recognised {format_spec(found.architecture, found.options)}"]
    if found.heads_assumed and "num_heads" not in options:
        notes.append(f"heads assumed: {found.heads_assumed} of {HEAD_WIDTH} channels")
    return _Network(
        found.architecture,
        found.options | options,
        found.authors_family,
        found.resolution if "img_size" not in options else None,
        found.pooling,
        tuple(notes),
    )


def _heads(module: nn.Module) -> int:
    """Number of heads of a vision transformer; 0 for other networks."""
    blocks = getattr(module, "blocks", None)
    first = next(iter(blocks), None) if isinstance(blocks, nn.Sequential | nn.ModuleList) else None
    return int(getattr(getattr(first, "attn", None), "num_heads", 0))


def _other_heads(expected: int, heads: int) -> tuple[str, ...]:
    """A note where the named architecture has other heads than the networks of the method."""
    if not expected or not heads or heads == expected:
        return ()
    return (
        f"{heads} heads as named, where the file's method has {expected}: num_heads={expected}",
    )


def _side_of_positions(checkpoint: Checkpoint) -> int | None:
    """Side of the images in pixels that the position embeddings of a ViT's file are made for."""
    vit = VitTensors(checkpoint.tensors)
    if not vit.has("pos_embed", "patch_embed.proj.weight") or vit.tensors["pos_embed"].ndim != 3:
        return None
    return vit.image(1) or vit.image(0)
