"""`open_clip:ARCH/TAG` and `open_clip:ARCH/PATH`: the image tower of a model of open_clip."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from safetensors import SafetensorError

from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.features.models.checkpoints.weights_file import read_content
from lowlabel.features.models.libraries.hub_access import obstacle
from lowlabel.features.models.libraries.library import Library, check_known, require
from lowlabel.features.models.libraries.open_clip_encoder import OpenClipEncoder
from lowlabel.features.models.libraries.preprocessing import (
    COLOURS,
    squash_or_crop,
    take_colours,
)
from lowlabel.features.models.source import Source, canonical_spec, take_pretraining
from lowlabel.features.transforms import ImageTransform
from lowlabel.paths import expanded, weights_dir
from lowlabel.reading import reading, reason
from lowlabel.specs import Option, json_sha256, parse_spec

_OPTIONS = ("pretrained_on", *COLOURS)
_TORCH = (".pt", ".pth", ".bin")
_SUFFIXES = (".safetensors", *_TORCH, ".npz")
_ON_THE_HUB = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_DIGITS = 16
_DIFFERENCES = {
    r"Missing key\(s\) in state_dict: (.*)\.": "missing tensors",
    r"Unexpected key\(s\) in state_dict: (.*)\.": "of another network",
    r"size mismatch for (\S+):": "of another shape",
}


def check(rest: str) -> None:
    """Checks what can be known of `open_clip:REST` before it is loaded."""
    require("open_clip", "open-clip")
    text, options = parse_spec(rest)
    check_known(f"open_clip:{text}", options, _OPTIONS)
    take_pretraining(options)
    take_colours(options)
    _, tag, path = _named(text)
    if not tag and not path.is_file():
        raise DataError(
            f"there is no weights file {path}", f"Check the path in --model open_clip:{text}"
        )


def open_model(rest: str, resolution: int | None, any_size: bool) -> Source:
    """Loads `open_clip:REST`; see `Library.open`."""
    import open_clip

    check(rest)
    text, options = parse_spec(rest)
    seen, colours = take_pretraining(options), take_colours(options)
    architecture, tag, path = _named(text)
    config = open_clip.get_model_config(architecture)
    published = open_clip.get_pretrained_cfg(architecture, tag) if tag else {}
    quick, notes = _quick_gelu(architecture, tag, config, published)
    path = _weights(architecture, tag, published) if tag else path
    keys = ("mean", "std", "interpolation", "resize_mode")
    preprocessing = {key: published[key] for key in keys if published.get(key)} | colours
    problem = f"{path} does not hold the weights of {architecture}"
    fix = (
        f"Name a file that open_clip saved for {architecture}, or weights that are published: "
        "python -c 'import open_clip; print(open_clip.list_pretrained())'"
    )
    damage = (SafetensorError,)
    if path.suffix.lower() in _TORCH:
        read_content(path, shapes_only=True)
    with (
        reading(path, problem, fix, damage),
        _differences(),
        _quietly(),
        torch.random.fork_rng(devices=[]),
    ):
        model = open_clip.create_model(
            architecture,
            pretrained=str(path),
            force_quick_gelu=quick,
            force_image_size=resolution,
            force_preprocess_cfg=preprocessing,
        )
    shown: dict[str, Option] = {"config": _config_hash(config, quick)}
    return Source(
        f"{architecture}/{tag or path.stem}",
        canonical_spec("open_clip", architecture, shown, None),
        OpenClipEncoder(model.eval()),
        _transform(open_clip.get_model_preprocess_cfg(model), architecture),
        pretrained_on=seen,
        notes=notes,
    )


def _named(text: str) -> tuple[str, str, Path]:
    """Architecture, tag and file of `ARCH/TAG` or `ARCH/PATH`; tag or file is empty.

    Raises:
        UnknownNameError: If open_clip has no such architecture or tag.
        InputError: If the architecture has several tags, and none is named.
    """
    import open_clip

    architecture, _, rest = text.partition("/")
    if architecture not in open_clip.list_models():
        raise UnknownNameError("open_clip architecture", architecture, open_clip.list_models())
    if rest.lower().endswith(_SUFFIXES):
        return architecture, "", expanded(rest)
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if not rest and len(tags) != 1:
        raise InputError(
            f"open_clip:{text} names no weights",
            f"Published: {', '.join(tags) or 'none'}. Write open_clip:{architecture}/TAG, or "
            f"open_clip:{architecture}/PATH of a file.",
        )
    if rest and not open_clip.is_pretrained_cfg(architecture, rest):
        raise UnknownNameError(f"weights of open_clip's {architecture}", rest, tags)
    return architecture, rest or tags[0], Path()


def _quick_gelu(
    architecture: str, tag: str, config: Mapping[str, Any], published: Mapping[str, Any]
) -> tuple[bool, tuple[str, ...]]:
    """Whether to turn on the activation that the weights were trained with, and a note.

    Raises:
        InputError: If the architecture has it, and the weights were trained with another.
    """
    trained = bool(published.get("quick_gelu", False))
    if not tag or trained == bool(config.get("quick_gelu", False)):
        return False, ()
    if trained:
        return True, (f"quick_gelu, which {tag} was trained with",)
    raise InputError(
        f"{architecture} has quick_gelu, and its weights {tag} were trained without",
        f"Write open_clip:{architecture.removesuffix('-quickgelu')}/{tag}",
    )


def _weights(architecture: str, tag: str, published: Mapping[str, Any]) -> Path:
    """The file of published weights: from the weights folder, the Hub's cache, or a download.

    Raises:
        DataError: If it cannot be fetched.
    """
    import open_clip

    stem = f"{architecture}.{tag}"
    places = (weights_dir() / f"{stem}{suffix}" for suffix in _SUFFIXES)
    if found := next(filter(Path.is_file, places), None):
        return found
    model, _, name = str(published.get("hf_hub", "")).rpartition("/")
    names = (*_ON_THE_HUB, name) if name else _ON_THE_HUB
    cached = (try_to_load_from_cache(model, each) for each in names if model)
    if held := next((each for each in cached if isinstance(each, str)), None):
        return Path(held)
    why = obstacle()
    if not why:
        try:
            return Path(open_clip.download_pretrained(dict(published)))
        except Exception as error:  # of the client, or open_clip's own
            why = reason(error)
    from huggingface_hub import constants

    url = f"{constants.ENDPOINT}/{model}/tree/main" if model else published.get("url", "them")
    raise DataError(
        f"cannot fetch the weights {tag} of open_clip's {architecture}, which are not in "
        f"{weights_dir()} or in the cache {constants.HF_HUB_CACHE}: {why}",
        f"Download {_ON_THE_HUB[0]} from {url}\non a machine with a network, and save it as "
        f"{weights_dir() / f'{stem}.safetensors'}",
    )


def _config_hash(config: Mapping[str, Any], quick: bool) -> str:
    """Hash of what the weights of the image tower do not tell."""
    facts = {key: config.get(key) for key in ("embed_dim", "vision_cfg")}
    quick = quick or bool(config.get("quick_gelu", False))
    return json_sha256({**facts, "quick_gelu": quick})[:_DIGITS]


def _transform(config: Mapping[str, Any], architecture: str) -> ImageTransform:
    """open_clip's preprocessing; its longest-side mode fills with black, which is refused."""
    return squash_or_crop(
        config["size"],
        str(config["resize_mode"]),
        str(config["interpolation"]),
        config["mean"],
        config["std"],
        f"open_clip:{architecture}",
    )


@contextmanager
def _differences() -> Iterator[None]:
    """Counts the tensors of other weights, all of which torch would name."""
    try:
        yield
    except RuntimeError as error:
        parts = []
        for kind, says in _DIFFERENCES.items():
            if found := [name for line in re.findall(kind, str(error)) for name in _names(line)]:
                parts.append(f"{len(found):,} {says}, such as {found[0]}")
        if not parts:
            raise
        raise ValueError("; ".join(parts)) from error
    except AttributeError as error:  # of .npz, which open_clip reads for some networks alone
        raise ValueError(f"they are of another network: {error}") from error


def _names(listed: str) -> list[str]:
    return [name.strip('"') for name in listed.split(", ")]


@contextmanager
def _quietly() -> Iterator[None]:
    """Keeps what open_clip logs while it loads out of the output."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)


OPEN_CLIP = Library(
    "open_clip:ARCH[/TAG]",
    "image towers of open_clip; also ARCH/PATH of a file (pip install 'lowlabel[open-clip]')",
    check,
    open_model,
)
