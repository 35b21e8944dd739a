"""Examples in the coordinates in which they are fitted: centred, and of order one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lowlabel.scale import power_of_two

_BLOCK_ELEMENTS = {"cpu": 2**20}  # features, logits and their temporaries stay in the cache
_ACCELERATOR_ELEMENTS = 2**26


@dataclass(frozen=True)
class Examples:
    """Features with their classes; nothing is copied as a whole.

    Attributes:
        x: Features as given, float32 or float64 [M, D].
        targets: Class of each example, 0 … K-1, int64 [N].
        classes: K.
        center: Mean of the features, float64 [D].
        scale: Power of two that brings the largest centred feature into [1, 2).
        chosen: The row of `x` of each example, int64 [N]; None for all rows.
    """

    x: Tensor
    targets: Tensor
    classes: int
    center: Tensor
    scale: float
    chosen: Tensor | None = None

    @classmethod
    def of(
        cls, x: Tensor, targets: Tensor, classes: int, chosen: Tensor | None = None
    ) -> "Examples":
        """Computes centre and scale, block by block."""
        origin = x.new_zeros(x.shape[1], dtype=torch.float64)
        raw = cls(x, targets, classes, origin, 1.0, chosen)
        largest = torch.stack([raw.block(rows).abs().amax() for rows in raw.blocks()]).amax()
        # Divided before they are added: a sum of large features may overflow.
        total = sum((raw.block(rows) / largest.clamp_min(1e-300)).sum(0) for rows in raw.blocks())
        center = total / len(raw) * largest
        centred = replace(raw, center=center)
        spread = torch.stack([centred.block(rows).abs().amax() for rows in centred.blocks()]).amax()
        return replace(centred, scale=float(power_of_two(spread)))

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
        return len(self.targets)

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
        places = rows if self.chosen is None else self.chosen[rows]
        return (self.x[places].double() - self.center) / self.scale
