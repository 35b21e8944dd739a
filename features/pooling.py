"""From a backbone's last tokens or map to one vector an image."""

import re
from dataclasses import dataclass

import torch

from lowlabel.errors import InputError

POOLINGS = ("cls", "mean", "cls+mean", "gem", "cls+gem")
_GEM = re.compile(r"gem(\d+(?:\.\d+)?)?")
_GEM_POWER = 3.0
_GEM_FLOOR = 1e-6


@dataclass(frozen=True)
class Tokens:
    """The last layer's output.

    Attributes:
        cls: [B, D], or None for a backbone without a class token.
        patches: [B, N, D]: patch tokens, or the positions of a convolutional map.
    """

    cls: torch.Tensor | None
    patches: torch.Tensor


def check_pooling(pooling: str) -> None:
    """Raises an `InputError` for a pooling that does not exist."""
    for part in pooling.split("+"):
        if part not in ("cls", "mean", "head") and not _GEM.fullmatch(part):
            raise InputError(
                f"unknown pooling {pooling!r}",
                f"Known: {', '.join(POOLINGS)}; gem4 sets the power of gem to 4.",
            )


def pool(tokens: Tokens, pooling: str) -> torch.Tensor:
    """Pools tokens to [B, D], or [B, 2 D] for two poolings joined by "+".

    `gem` is the generalised mean (Radenović et al., TPAMI 2019, arXiv:1711.02512) of the patches,
    clamped at 1e-6, with power 3; `gem4` has power 4, as DINO's Copydays evaluation.

    Raises:
        InputError: If the pooling does not exist, or needs a class token that is not there.
    """
    check_pooling(pooling)
    return torch.cat([_pool_one(tokens, part) for part in pooling.split("+")], dim=1)


def _pool_one(tokens: Tokens, pooling: str) -> torch.Tensor:
    if pooling == "cls":
        if tokens.cls is None:
            raise InputError("this model has no class token for pooling cls", "Use --pooling mean.")
        return tokens.cls
    if pooling == "mean":
        return tokens.patches.mean(dim=1)
    match = _GEM.fullmatch(pooling)
    power = float(match[1]) if match and match[1] else _GEM_POWER
    return tokens.patches.clamp(min=_GEM_FLOOR).pow(power).mean(dim=1).pow(1 / power)
