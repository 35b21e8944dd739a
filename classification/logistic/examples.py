"""Examples in the coordinates in which they are fitted: centred, and of order one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lowlabel.classification.rows import Rows
from lowlabel.scale import power_of_two

_BLOCK_ELEMENTS = {"cpu": 2**20}  # features, logits and their temporaries stay in the cache
_ACCELERATOR_ELEMENTS = 2**26


@dataclass(frozen=True)
class Examples:
    """Features with their classes; nothing is copied as a whole.

    Attributes:
        x: Features as given, float32 or float64 [N, D].
        targets: Class of each example, 0 … K-1, int64 [N].
        classes: K.
        center: Mean of the features, float64 [D].
        scale: Power of two that brings the largest centred feature into [1, 2).
    """

    x: Rows
    targets: Tensor
    classes: int
    center: Tensor
    scale: float

    @classmethod
    def of(cls, x: Rows, targets: Tensor, classes: int) -> "Examples":
        """Computes centre and scale, block by block."""
        origin = torch.zeros(x.width, dtype=torch.float64, device=x.device)
        raw = cls(x, targets, classes, origin, 1.0)
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
        return cls(Rows(x), examples.targets, examples.classes, origin, 1.0), basis

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def block_rows(self) -> int:
        """Number of examples per block."""
        elements = _BLOCK_ELEMENTS.get(self.x.device.type, _ACCELERATOR_ELEMENTS)
        return max(64, elements // (self.x.width + self.classes))

    def blocks(self) -> Iterator[slice]:
        """Ranges of all rows."""
        for start in range(0, len(self), self.block_rows):
            yield slice(start, start + self.block_rows)

    def block(self, rows: slice | Tensor) -> Tensor:
        """Centred and scaled features of some rows, float64."""
        return (self.x.block(rows).double() - self.center) / self.scale
