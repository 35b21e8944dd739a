"""Features with their norms, and how far rounding can move a similarity of theirs."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.errors import InputError

_CHUNK_VALUES = 2**22  # float64 values that are in memory at once while rows are normalised
_MODERATE = 1e12  # norms up to which, and down to whose inverse, float32 products are exact enough
_PIECE = 128  # dimensions that are summed without a break; shorter pieces cost time


@dataclass(frozen=True)
class Embeddings:
    """Features [N, D] as given, and what makes cosines of them.

    Attributes:
        raw: The features, float32 or float64.
        inverse_norm: 1 / L2 norm of each row, float64 [N].
    """

    raw: Tensor
    inverse_norm: Tensor

    @classmethod
    def of(cls, features: Tensor, name: str = "features") -> "Embeddings":
        """Takes the norms in float64.

        Raises:
            InputError: If rows hold NaN or infinite values, or are all zero.
        """
        if features.dtype == torch.float64:  # whose squares could overflow
            largest = features.abs().amax(dim=1, keepdim=True)
            features = features / torch.where(largest > 0, largest, 1)
        norms = _norms(features)
        broken = int((~torch.isfinite(norms)).sum())
        if broken:
            raise InputError(
                f"{broken} of {len(features)} rows of {name} hold NaN or infinite values",
                "Look at the images and the model that gave them; float16 overflows at 65,504.",
            )
        zeros = int((norms == 0).sum())
        if zeros:
            raise InputError(
                f"{zeros} of {len(features)} rows of {name} are all zero and have no direction",
                "Look at the images and the model that gave them.",
            )
        return cls(features, 1 / norms)

    def __len__(self) -> int:
        return len(self.raw)

    @property
    def dimensions(self) -> int:
        """D, the width of a row."""
        return self.raw.shape[1]

    def part(self, start: int, stop: int) -> "Embeddings":
        """The rows from `start` to `stop`, without a copy."""
        return Embeddings(self.raw[start:stop], self.inverse_norm[start:stop])

    def products(self, unit: Tensor) -> Tensor:
        """Similarities [n, N] of `unit` rows [n, D] with all of these, in the dtype of `unit`.

        Where nothing can overflow the products are scaled, not the rows: a copy of those would
        cost more than the product of a few queries. Both ways keep to `product_margin`.
        """
        out = unit.new_empty(len(unit), len(self))
        low, high = self.inverse_norm.aminmax()
        if self.raw.dtype == unit.dtype and low > 1 / _MODERATE and high < _MODERATE:
            return multiply(unit, self.raw, out).mul_(self.inverse_norm.to(unit.dtype))
        rows = torch.arange(len(self), device=self.raw.device)
        return multiply(unit, self.unit(rows, unit.dtype), out)

    def unit(self, rows: Tensor, dtype: torch.dtype) -> Tensor:
        """The `rows` at length 1, normalised in float64 and rounded once to `dtype`."""
        result = torch.empty(len(rows), self.dimensions, dtype=dtype, device=self.raw.device)
        step = max(1, _CHUNK_VALUES // self.dimensions)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            result[start : start + step] = self.raw[part].double() * self.inverse_norm[part, None]
        return result


def _norms(features: Tensor) -> Tensor:
    """L2 norms in float64: on a CPU by a loop, where torch would take twenty times as long."""
    if features.device.type == "cpu" and features.dtype == torch.float32:
        from lowlabel.retrieval.ranking.kernels import row_norms

        return torch.from_numpy(row_norms(features.numpy()))
    norms: Tensor = torch.linalg.vector_norm(features, dim=1, dtype=torch.float64)
    return norms


def multiply(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """Writes a @ b.T to `out`, summed by pieces of the dimensions for a small `product_margin`."""
    torch.mm(a[:, :_PIECE], b[:, :_PIECE].T, out=out)
    for start in range(_PIECE, a.shape[1], _PIECE):
        piece = slice(start, start + _PIECE)
        torch.addmm(out, a[:, piece], b[:, piece].T, out=out)
    return out


def product_margin(dimensions: int, dtype: torch.dtype) -> float:
    """How far an entry of `multiply` for unit rows can lie from the cosine in float64.

    A sum of n products errs by no more than n·u·Σ|aᵢbᵢ|, whatever its order, and Σ|aᵢbᵢ| ≤ 1
    (Higham, "Accuracy and Stability of Numerical Algorithms", §3.1; u is half the machine
    epsilon). Each piece is such a sum, and adding the pieces is another; rounding the rows, or one
    of them and the scale of the product, adds 2u to 3u, and rounding the bounds u. The cosine's own
    error is far smaller than float32's, and the tolerance for ties covers both in float64.
    """
    if dtype == torch.float64:
        return tie_tolerance(dimensions)
    additions = min(dimensions, _PIECE) + math.ceil(dimensions / _PIECE)
    return (additions + 8) * torch.finfo(dtype).eps / 2


def tie_tolerance(dimensions: int) -> float:
    """Up to which difference two float64 cosines cannot be told from equal ones.

    The dot product errs by D·u, each of the two norms by (D/2 + 2)·u: twice the sum for two.
    """
    return 4 * (dimensions + 4) * torch.finfo(torch.float64).eps / 2
