"""Pooling of a backbone's last tokens or feature map to one vector per image."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lowlabel.errors import InputError

POOLINGS = ("cls", "mean", "cls+mean", "gem", "cls+gem")
_GEM = re.compile(r"gem(\d+(?:\.\d+)?)?")
_BLOCKS = re.compile(r"(.+)@([1-9]\d*)")
_GEM_POWER = 3.0
_GEM_FLOOR = 1e-6


@dataclass(frozen=True)
class Tokens:
    """The output of one layer.

    Attributes:
        cls: Class tokens [B, D]; None for a backbone without one.
        patches: Patch tokens, or the positions of a convolutional map, [B, N, D].
    """

    cls: torch.Tensor | None
    patches: torch.Tensor


def check_pooling(pooling: str) -> None:
    """Raises an `InputError` for a pooling that does not exist."""
    for part in pooling.split("+") if pooling != "head" else ():
        name = _split(part)[0]
        if name not in ("cls", "mean") and not _GEM.fullmatch(name):
            raise InputError(
                f"unknown pooling {pooling!r}",
                f"Known: {', '.join(POOLINGS)}; gem4 sets the power of gem to 4, cls@4 "
                "concatenates the last four blocks.",
            )


def blocks_of(pooling: str) -> int:
    """Returns the number of last blocks that a pooling needs."""
    return max(_split(part)[1] for part in pooling.split("+"))


def pool(blocks: Sequence[Tokens], pooling: str) -> torch.Tensor:
    """Pools tokens to [B, D], or [B, 2 D] for two poolings joined by "+".

    `gem` is the generalised mean (Radenović et al., TPAMI 2019, arXiv:1711.02512) of the patches,
    clamped at 1e-6, with power 3; `gem4` has power 4, as in DINO's Copydays evaluation. `cls@4`
    concatenates the last four blocks to [B, 4 D], the earliest first, as in DINO's linear
    evaluation (Caron et al., ICCV 2021, arXiv:2104.14294); so does `@N` after any pooling.

    Args:
        blocks: Tokens of the last `blocks_of(pooling)` blocks, the last one last.
        pooling: How to pool.

    Raises:
        InputError: If the pooling does not exist, or needs tokens that the model lacks.
    """
    check_pooling(pooling)
    pooled = []
    for part in pooling.split("+"):
        name, count = _split(part)
        pooled += [_pool_one(tokens, name) for tokens in blocks[-count:]]
    return torch.cat(pooled, dim=1)


def _split(part: str) -> tuple[str, int]:
    """Splits a pooling into its name and number of blocks: "cls@4" is ("cls", 4)."""
    match = _BLOCKS.fullmatch(part)
    return (match[1], int(match[2])) if match else (part, 1)


def _pool_one(tokens: Tokens, pooling: str) -> torch.Tensor:
    if pooling != "cls" and not tokens.patches.shape[1]:
        raise InputError(
            f"pooling={pooling} needs patch tokens, and this model gives class tokens alone",
            "Use --pooling cls, or head for the model's own.",
        )
    if pooling == "cls":
        if tokens.cls is None:
            raise InputError(
                "pooling=cls needs a class token, which this model lacks", "Use --pooling mean."
            )
        return tokens.cls
    if pooling == "mean":
        return tokens.patches.mean(dim=1)
    match = _GEM.fullmatch(pooling)
    power = float(match[1]) if match and match[1] else _GEM_POWER
    return tokens.patches.clamp(min=_GEM_FLOOR).pow(power).mean(dim=1).pow(1 / power)
