"""The card in the metadata of weights that lowlabel exported."""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from lowlabel.datasets.pretraining import pretraining_set
from lowlabel.features.models.embedding_head import HeadShape
from lowlabel.features.models.identity import declared_identities
from lowlabel.features.transforms import MOST_SIDE, ImageTransform, Size, height_and_width
from lowlabel.fields import fit_fields
from lowlabel.reading import reading

CARD_KEY = "lowlabel"
TRAIN_MANIFEST = "train_manifest_sha256"  # of all images of the part that a model was tuned on
TRAIN_FOLDER = "train_folder_sha256"  # see `folder_sha256`
FOLDERS_BEFORE = "folders_before"  # what folders of earlier tunings are known by
TUNED_HEAD = "head"  # value of "tuned" where the backbone is the base model's
_MOST_SHOWN = 60
_KINDS = {str: "a text", int: "a whole number", float: "a number", dict: "a table", list: "a list"}
_FACTS = {
    "base_model": str,
    "base_weights_sha256": str,
    "tuned": str,
    "loss": str,
    "miner": str,
    "dataset": str,
    "epoch": int,
}


@dataclass(frozen=True)
class Card:
    """Metadata of weights that lowlabel exported.

    Attributes:
        architecture: Architecture as `NAME,option=value…` of timm.
        resolution: Side of the images in training, in pixels; (height, width) of others.
        transform: Preprocessing of a tuned model, which is that of its base model; None for the
            architecture's.
        head: Its embedding head.
        name: Its name in tables; empty for the file's.
        pretrained_on: Name of a set of images that its pretraining data, or those of its base
            model, include; None if unknown.
        identities: What it declares: the preset and the class list that made it.
        tuning: What it was tuned from, with and on; empty for a backbone that was not tuned.
        epochs: Passes over the images that the pretraining had made; None if it was tuned.
    """

    architecture: str
    resolution: Size
    transform: ImageTransform | None = None
    head: HeadShape | None = None
    name: str = ""
    pretrained_on: str | None = None
    tuning: Mapping[str, Any] = field(default_factory=dict)
    epochs: float | None = None
    identities: tuple[str, ...] = ()

    @property
    def only_head(self) -> bool:
        """Whether the backbone is the base model's, with a head of its own."""
        return self.tuning.get("tuned") == TUNED_HEAD


def read_card(path: Path) -> Card | None:
    """Reads the card in a file's metadata; None if lowlabel did not export the file.

    Raises:
        DataError: If the card was changed by hand.
    """
    text = card_text(path)
    if text is None:
        return None
    fix = f"Name the architecture that it was made with: --model {path}:ARCH,option=value"
    with reading(path, f"the card in {path} is not one that lowlabel writes", fix):
        card = json.loads(text)
        tuned = _value(card, "method", str, None) == "finetune"
        found = _tuned(card) if tuned else _pretrained(card)
        if not all(1 <= side <= MOST_SIDE for side in height_and_width(found.resolution)):
            raise ValueError(f"its images have {found.resolution} pixels")
    return found


def card_text(path: Path) -> str | None:
    """The card in a file's metadata as JSON; None if lowlabel did not export the file."""
    if path.suffix.lower() != ".safetensors":
        return None
    with (
        reading(path, f"{path} is not a readable weights file", "", (SafetensorError,)),
        safe_open(path, "pt") as file,
    ):
        return (file.metadata() or {}).get(CARD_KEY) or None


def _value(card: object, field: str, kind: type, *absent: Any) -> Any:
    """A field of a card, such as "recipe.options", or what stands for one that is absent.

    Raises:
        ValueError: If it is not there, or of another kind; it is named.
    """
    found = card
    for name in field.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    if found is None and absent:
        return absent[0]
    if found is None:
        raise ValueError(f"it has no {field}")
    kinds = (int, float) if kind is float else kind
    if not isinstance(found, kinds) or isinstance(found, bool):
        raise ValueError(f"{field} is {json.dumps(found)[:_MOST_SHOWN]}, not {_KINDS[kind]}")
    if isinstance(found, float) and not math.isfinite(found):
        raise ValueError(f"{field} is not finite")
    return found


def _pretrained(card: Mapping[str, Any]) -> Card:
    listed = _value(card, "class_list", list, [])
    if not all(isinstance(name, str) for name in listed):
        raise ValueError("class_list holds other values than texts")
    classes = frozenset(listed)
    recipe = _value(card, "recipe", dict)
    _value(recipe, "preset", str, "")
    on = pretraining_set("", classes)  # absent in cards of earlier versions
    if "pretrained_on" in card:
        on = _value(card, "pretrained_on", str, None)
    return Card(
        _value(card, "architecture", str),
        _value(recipe, "options.views.global_size", int),
        name=_value(card, "name", str, ""),
        pretrained_on=on,
        epochs=_value(card, "epochs", float, None),
        identities=declared_identities(recipe, classes),
    )


def folder_sha256(folder: Path) -> str:
    """What a folder is known by in a card, which others may read."""
    return hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()


def _tuned(card: Mapping[str, Any]) -> Card:
    made, ends = (_value(card, field, dict) for field in ("transform", "embedding_head"))
    transform = ImageTransform(**fit_fields(ImageTransform, made, "the transform"))
    head = HeadShape(**fit_fields(HeadShape, ends, "the embedding head"))
    lists = ("tuned_before", FOLDERS_BEFORE, "base_identities")
    grown: dict[str, Any] = {n: _value(card, n, list) for n in lists if n in card}
    grown |= {n: _value(card, n, str) for n in (TRAIN_MANIFEST, TRAIN_FOLDER) if n in card}
    return Card(
        _value(card, "architecture", str),
        transform.crop,
        transform,
        head,
        _value(card, "name", str),
        _value(card, "pretrained_on", str, None),
        {
            **{name: _value(card, name, kind) for name, kind in _FACTS.items()},
            "pooling": head.input,
            "layers": head.layers,
            "dimension": head.dimension,
            **grown,
        },
    )
