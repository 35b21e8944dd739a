"""Products with a Hessian, block by block, in float32.

Only directions depend on them: objective and gradient, which decide, are computed in float64.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from lowlabel.classification.logistic.examples import Examples
from lowlabel.classification.logistic.loss import Point

_KEPT_ELEMENTS = {"cpu": 2**27}  # 512 MiB
_ACCELERATOR_KEPT_ELEMENTS = 2**31


class _HasFeatures(Protocol):
    @property
    def x(self) -> Tensor:
        """Features of some examples, [B, D]."""


Part = TypeVar("Part", slice, Tensor)
Block = TypeVar("Block", bound=_HasFeatures)


class BlockwiseHessian(ABC, Generic[Part, Block]):
    """The Hessian of an objective at a point.

    Blocks are kept in float32 if they fit, or else computed again for each product.

    Args:
        examples: The examples.
        point: Where.
        alpha: Weight of the penalty.
        parts: Rows of the examples of each block.
        rows: Number of all these rows.
    """

    def __init__(
        self, examples: Examples, point: Point, alpha: float, parts: Sequence[Part], rows: int
    ) -> None:
        self._examples, self._point, self._alpha = examples, point, alpha
        self._parts: Sequence[Part] = parts
        self._kept = [*map(self._block, parts)] if _may_keep(examples, rows) else None

    def product(self, direction: Tensor) -> Tensor:
        """Hessian times a direction [K, D + 1]."""
        size = self._size(direction.abs()).clamp_min(1e-300)
        v = (direction / size).float()
        result = torch.zeros_like(direction)
        for block in self._blocks():
            u = self._curved(block, torch.addmm(v[:, -1], block.x, v[:, :-1].T))
            result[:, :-1] += u.T @ block.x
            result[:, -1] += u.sum(0)
        result *= size / len(self._examples)
        result[:, :-1] += self._alpha * direction[:, :-1]
        return result

    @abstractmethod
    def _size(self, magnitudes: Tensor) -> Tensor:
        """What a direction is divided by, in float32's range, of its magnitudes [K, D + 1]."""

    @abstractmethod
    def _curved(self, block: Block, logits: Tensor) -> Tensor:
        """Second derivatives by the logits times those of a direction [B, K]; may be in place."""

    @abstractmethod
    def _block(self, part: Part) -> Block:
        """Computes a block."""

    def _blocks(self) -> Iterator[Block]:
        yield from self._kept if self._kept is not None else map(self._block, self._parts)


def _may_keep(examples: Examples, rows: int) -> bool:
    """Whether blocks of so many examples may stay in memory."""
    elements = rows * (examples.x.width + examples.classes)
    return elements <= _KEPT_ELEMENTS.get(examples.x.device.type, _ACCELERATOR_KEPT_ELEMENTS)
