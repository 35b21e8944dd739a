"""What is known of published models by their names on the Hugging Face Hub."""

import re

from lowlabel.datasets import IMAGENET
from lowlabel.features.models.aliases import ALIASES
from lowlabel.features.models.identity import alias_identity

_LETTERS = {"small": "s", "base": "b", "large": "l", "giant": "g"}
_DINO = re.compile(r"facebook/(dino-vit[sb](?:8|16))")
_DINOV2 = re.compile(r"facebook/dinov2-(?P<registers>with-registers-)?(?P<size>\w+)")
_DINOV3 = re.compile(r"facebook/dinov3-(vit\w+?)-pretrain-lvd1689m")
_DATA = re.compile(  # whoever publishes or tunes them
    r"dino-vit|dinov2-|dinov3-\w+(-\w+)?-pretrain-lvd1689m|vit-mae-|vit-msn-|ijepa_\w+_(1k|22k)"
    r"|(vit|deit|beit)-(tiny|small|base|large|huge|distilled)-|swin(v2)?-|convnext(v2)?-"
)


def hub_alias_of(name: str) -> tuple[str, ...]:
    """The identity of published weights that have an alias; empty for others."""
    alias = ""
    if match := _DINO.fullmatch(name):
        alias = match[1].replace("-", "_")
    elif match := _DINOV2.fullmatch(name):
        letter = _LETTERS.get(match["size"], "")
        alias = f"dinov2_vit{letter}14{'_reg' if match['registers'] else ''}"
    elif match := _DINOV3.fullmatch(name):
        alias = f"dinov3_{match[1]}"
    return (alias_identity(alias),) if alias in ALIASES else ()


def hub_data(name: str) -> str | None:
    """Name of a set of images that the data of a published model include, if its name tells.

    Args:
        name: OWNER/NAME, or a folder of the model's name.
    """
    last = name.rstrip("/").rpartition("/")[2].rpartition("--")[2]
    return IMAGENET if _DATA.match(last) else None
