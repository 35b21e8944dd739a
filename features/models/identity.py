"""Which published weights a model has, however it was loaded.

An identity is the name of published weights in `timm` ("timm:vit_small_patch16_224.dino"), or the
suite's own name for weights that timm does not have ("ssl-vit-mini"). The alias, timm's name, the
entry of `torch.hub` and the authors' file are one model: they have one identity, and with it the
pretraining facts and the published numbers.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lowlabel.datasets.pretraining import pretraining_set
from lowlabel.features.models.aliases import ALIASES
from lowlabel.features.models.architectures import create
from lowlabel.paths import expanded
from lowlabel.specs import Option

RECIPE, TUNED = "recipe:", "tuned:"
_VIT_S16 = "vit_small_patch16_224"


@dataclass(frozen=True)
class OwnIdentity:
    """Published weights that no alias has.

    Attributes:
        name: The identity.
        architecture: Their network.
        pretrained_on: Name of a set of images that their data include, if known.
    """

    name: str
    architecture: str
    pretrained_on: str | None


SSL_VIT = (  # Bhattacharyya et al., ICASSP 2022, arXiv:2201.08951
    OwnIdentity("ssl-vit-mini", _VIT_S16, "ssl-vit-mini"),
    OwnIdentity("ssl-vit-tiered", _VIT_S16, "ssl-vit-tiered"),
)
_SSL_VIT_FILES = {
    "mini_imagenet_checkpoint": "ssl-vit-mini",
    "tiered_imagenet_checkpoint": "ssl-vit-tiered",
}
_SSL_VIT_TUNED = re.compile(r"(cub|cars)_ssl-vit-(margin|proxynca|ms)")
_ALIAS_FILES = {
    "dino_deitsmall16": "dino_vits16",
    "dino_deitsmall8": "dino_vits8",
    "dino_vitbase16": "dino_vitb16",
    "dino_vitbase8": "dino_vitb8",
    "dino_vitsmall16_googlelandmark": "dino_vits16_googlelandmark",
    "deit_small_patch16_224-cd65a155": "deit_small",
    "resnet50-0676ba61": "resnet50",
    "cub_checkpoint": "dino_vits16",  # SSL-ViT's name of it
}
_TIMM_FILES = {
    "deit_small_distilled_patch16_224-649709d9": "deit_small_distilled_patch16_224.fb_in1k",
}
_PRETRAIN = re.compile(
    r"(?P<name>\w+?)(?P<registers>_reg4)?_pretrain(_full_checkpoint|_lvd1689m(-[0-9a-f]{8})?)?"
)
_OFFICIAL = re.compile(r"facebookresearch/(dino|dinov2|dinov3)(:.*)?")
_OF_INPUT = {"img_size", "dynamic_img_size", "pos_embed"}  # options of the same network
_OF_SHAPES = {"depth", "patch_size", "embed_dim"}  # those that tensors tell
_TEACHER = (None, "teacher")


def alias_identity(name: str) -> str:
    """The identity of an alias."""
    alias = ALIASES[name]
    return f"timm:{alias.timm_name}" if alias.timm_name else name


def hub_alias(repository: str, entry: str) -> str | None:
    """The alias of the weights that an entry of `torch.hub` loads, if there is one.

    Args:
        repository: OWNER/NAME[:REF], or a folder, where the entry's name decides.
        entry: The entry point.
    """
    is_folder = expanded(repository).is_dir()
    known = entry in ALIASES and entry.startswith("dino")
    return entry if known and (is_folder or _OFFICIAL.fullmatch(repository)) else None


def file_alias(path: Path) -> str | None:
    """The alias of the weights that an authors' file holds, if there is one."""
    stem = path.stem
    if stem in ALIASES and stem.startswith("dino"):
        return stem
    if stem in _ALIAS_FILES:
        return _ALIAS_FILES[stem]
    if not (match := _PRETRAIN.fullmatch(stem)):
        return None
    name = match["name"]
    alias = _ALIAS_FILES.get(name, name) + ("_reg" if match["registers"] else "")
    return alias if alias in ALIASES else None


def file_identities(
    path: Path, name: str, architecture: str, branch: str | None
) -> tuple[str, ...]:
    """The identities of a weights file, by the name that its authors give it.

    A name counts only on the network that the weights belong to.

    Args:
        path: The file.
        name: The architecture that was named for it; a tag says which weights the file has.
        architecture: The network that was found in it.
        branch: The part of a checkpoint that was chosen; only the teacher is published.
    """
    network = architecture.partition(".")[0]
    if branch not in _TEACHER:
        return ()
    if alias := file_alias(path):
        return (alias_identity(alias),) if ALIASES[alias].network == network else ()
    if own := own_identity(path):
        return (own.name,) if own.architecture == network else ()
    if _SSL_VIT_TUNED.fullmatch(path.stem):
        return (TUNED + path.stem,) if network == _VIT_S16 else ()
    tagged = _TIMM_FILES.get(path.stem) or next((n for n in (name, path.stem) if "." in n), "")
    return (f"timm:{tagged}",) if tagged.partition(".")[0] == network else ()


def declared_identities(recipe: Mapping[str, Any], classes: Collection[str]) -> tuple[str, ...]:
    """What the card of a pretrained backbone declares: "recipe:ssl-vit mini".

    Nothing without a preset, or if anything but the seed differs from it. A preset may have the
    name of its class list in its own: "ssl-vit-mini" on that list is "ssl-vit mini", too.

    Args:
        recipe: The recipe in the card.
        classes: The classes that its images are restricted to; empty for all.
    """
    preset = recipe.get("preset")
    if not preset or recipe.get("changed"):
        return ()
    if not classes:
        return (RECIPE + preset,)
    listed = (pretraining_set("", classes) or "").removeprefix("ssl-vit-")
    return (f"{RECIPE}{preset.removesuffix(f'-{listed}')} {listed}",) if listed else ()


def own_identity(path: Path) -> OwnIdentity | None:
    """What is known of an authors' file that no alias has."""
    known = {each.name: each for each in SSL_VIT}
    return known.get(_SSL_VIT_FILES.get(path.stem, ""))


def is_plain(name: str, options: Mapping[str, Option]) -> bool:
    """Whether options leave an architecture as it is."""
    if options.keys() - _OF_INPUT - _OF_SHAPES:
        return False
    same = {key: value for key, value in options.items() if key in _OF_INPUT - {"pos_embed"}}
    shapes = {key: value for key, value in options.items() if key in _OF_SHAPES}
    with torch.device("meta"):  # without memory for its weights
        plain, made = (create(name, each).state_dict() for each in (same, same | shapes))
    return {k: v.shape for k, v in plain.items()} == {k: v.shape for k, v in made.items()}
