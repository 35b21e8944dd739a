"""Features with their norms, and how far rounding can move a similarity of theirs."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.errors import InputError

_CHUNK_VALUES = 2**22  # float64 values that are in memory at once while rows are normalised
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
        norms = torch.linalg.vector_norm(features, dim=1, dtype=torch.float64)
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

    def unit(self, rows: Tensor, dtype: torch.dtype) -> Tensor:
        """The `rows` at length 1, normalised in float64 and rounded once to `dtype`."""
        result = torch.empty(len(rows), self.dimensions, dtype=dtype, device=self.raw.device)
        step = max(1, _CHUNK_VALUES // self.dimensions)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            result[start : start + step] = self.raw[part].double() * self.inverse_norm[part, None]
        return result


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
    epsilon). Each piece is such a sum, and adding the pieces is another; rounding the rows adds
    2u, and rounding the bounds u. The cosine's own error is far smaller than float32's, and the
    tolerance for ties covers both in float64.
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
