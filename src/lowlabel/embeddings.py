"""Features with the norms of their rows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from lowlabel.arrays import refuse_rows
from lowlabel.scale import order_one

_BLOCK_ELEMENTS = 2**21
_NORMS = 1e-100, 1e100  # products of two norms, and of their inverses, are far from float64's ends


def vector_norms(features: Tensor) -> Tensor:
    """L2 norms of rows, float64 [N].

    Block by block: of a float32 table, torch makes a copy in float64.
    """
    norms = features.new_empty(len(features), dtype=torch.float64)
    rows = max(1, _BLOCK_ELEMENTS // features.shape[1])
    for part, out in zip(features.split(rows), norms.split(rows), strict=True):
        torch.linalg.vector_norm(part, dim=1, dtype=torch.float64, out=out)
    return norms


@dataclass(frozen=True)
class Embeddings:
    """Features that have a direction, with the norms of their rows.

    Attributes:
        raw: Features [N, D], float32 or float64; float64 rows may be scaled by powers of two, which
            changes no direction.
        norm: L2 norm of each row, float64 [N].
        places: Where only some rows of `raw` are meant, that of each, int64 [N].
    """

    raw: Tensor
    norm: Tensor
    places: Tensor | None = None

    @classmethod
    def of(
        cls,
        features: Tensor,
        name: str,
        norms: Callable[[Tensor], Tensor] = vector_norms,
        places: Tensor | None = None,
    ) -> "Embeddings":
        """Computes the norms.

        Args:
            features: float32 or float64 [N, D].
            name: Name of the features in messages.
            norms: Computes the norms of rows, float64 [N].
            places: The rows that are meant, int64; by default all. Others are not checked.

        Raises:
            InputError: If rows hold NaN or infinite values, or are all zero.
        """
        norm = _some(norms(features), places)
        if features.dtype == torch.float64:
            low, high = norm.aminmax()
            if not (low > _NORMS[0] and high < _NORMS[1]):
                features = order_one(features)
                norm = _some(norms(features), places)
        refuse_rows(~norm.isfinite(), name, "hold NaN or infinite values")
        refuse_rows(norm == 0, name, "are all zero and have no direction")
        return cls(features, norm, places)

    def __len__(self) -> int:
        return len(self.norm)

    @cached_property
    def inverse_norm(self) -> Tensor:
        """1 / norm, float64 [N]."""
        return 1 / self.norm

    @property
    def dimensions(self) -> int:
        """D."""
        return self.raw.shape[1]

    def rows(self, start: int, stop: int) -> Tensor:
        """Features of rows `start` to `stop`, [B, D]."""
        if self.places is None:
            return self.raw[start:stop]
        return self.raw.index_select(0, self.places[start:stop])

    def part(self, start: int, stop: int) -> "Embeddings":
        """Rows `start` to `stop`, without a copy."""
        if self.places is not None:
            return Embeddings(self.raw, self.norm[start:stop], self.places[start:stop])
        return Embeddings(self.raw[start:stop], self.norm[start:stop])


def _some(norm: Tensor, places: Tensor | None) -> Tensor:
    return norm if places is None else norm[places]
