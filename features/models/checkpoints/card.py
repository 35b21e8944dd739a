"""The card in the metadata of weights that lowlabel exported."""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open

CARD_KEY = "lowlabel"


@dataclass(frozen=True)
class Card:
    """Metadata of weights that lowlabel exported.

    Attributes:
        architecture: Architecture as `NAME,option=value…` of timm.
        resolution: Side of the large views in training, in pixels.
    """

    architecture: str
    resolution: int


def read_card(path: Path) -> Card | None:
    """Reads the card in a file's metadata; None if lowlabel did not export the file."""
    if path.suffix.lower() != ".safetensors":
        return None
    with safe_open(path, "pt") as file:
        text = (file.metadata() or {}).get(CARD_KEY)
    if not text:
        return None
    card = json.loads(text)
    views = card["recipe"]["options"]["views"]
    return Card(str(card["architecture"]), int(views["global_size"]))
