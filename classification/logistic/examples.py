"""Examples in the coordinates in which they are fitted: centred, and of order one."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.scale import power_of_two

_BLOCK_ELEMENTS = {"cpu": 2**20}  # features, logits and their temporaries stay in the cache
_ACCELERATOR_ELEMENTS = 2**26


@dataclass(frozen=True)
class Examples:
    """Features with their classes; nothing is copied as a whole.

    Attributes:
        x: Features as given, [N, D], float32 or float64.
        targets: Class of each example, 0 … K-1, int64 [N].
        classes: K.
        center: Mean of the features, float64 [D].
        scale: Power of two that brings the largest centred feature into [1, 2).
    """

    x: Tensor
    targets: Tensor
    classes: int
    center: Tensor
    scale: float

    @classmethod
    def of(cls, x: Tensor, targets: Tensor, classes: int) -> "Examples":
        """Computes centre and scale, block by block."""
        raw = cls(x, targets, classes, x.new_zeros(x.shape[1], dtype=torch.float64), 1.0)
        largest = x.abs().amax().double()
        # Divided before they are added: a sum of large features may overflow.
        total = sum((raw.block(rows) / largest.clamp_min(1e-300)).sum(0) for rows in raw.blocks())
        center = total / len(x) * largest
        centred = cls(x, targets, classes, center, 1.0)
        spread = torch.stack([centred.block(rows).abs().amax() for rows in centred.blocks()]).amax()
        return cls(x, targets, classes, center, float(power_of_two(spread)))

    @classmethod
    def within_span(cls, examples: "Examples") -> tuple["Examples", Tensor]:
        """The same examples in N coordinates instead of D, and their basis, [D, N].

        The minimum's weights lie in the span of the examples, and a rotation keeps their length.
        """
        basis, coordinates = torch.linalg.qr(examples.block(slice(None)).T)
        x = coordinates.T.contiguous()
        origin = x.new_zeros(x.shape[1])
        return cls(x, examples.targets, examples.classes, origin, 1.0), basis

    def __len__(self) -> int:
        return len(self.x)

    @property
    def block_rows(self) -> int:
        """Number of examples per block."""
        elements = _BLOCK_ELEMENTS.get(self.x.device.type, _ACCELERATOR_ELEMENTS)
        return max(64, elements // (self.x.shape[1] + self.classes))

    def blocks(self) -> Iterator[slice]:
        """Ranges of all rows."""
        for start in range(0, len(self), self.block_rows):
            yield slice(start, start + self.block_rows)

    def block(self, rows: slice | Tensor) -> Tensor:
        """Centred and scaled features of some rows, float64."""
        return (self.x[rows].double() - self.center) / self.scale
