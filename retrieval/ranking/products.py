"""Products of unit rows, and how far rounding can move them from the float64 cosine."""

import math
import threading
from collections.abc import Callable

import torch
from torch import Tensor

from lowlabel.embeddings import Embeddings, vector_norms
from lowlabel.lazy_rows import MOST_BYTES

Transform = Callable[[Tensor], Tensor]

_CHUNK_VALUES = 2**22  # float64 values held at once while rows are normalised
_MODERATE = 1e12  # raw products are exact enough for norms from its inverse up to it
_PIECE = 128  # dimensions summed at once; shorter pieces cost time


class Rooms(threading.local):
    """Memory that each thread fills again and again.

    Blocks of some megabytes that are freed leave holes in which glibc's aligned allocations of the
    same size do not fit: over a large table the heap would grow by the size of the table.
    """

    def __init__(self) -> None:
        self._rooms: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}

    def take(
        self, name: str, rows: int, columns: int, dtype: torch.dtype, device: torch.device
    ) -> Tensor:
        """An uninitialised matrix, which is valid until the thread takes that name again."""
        key, values = (name, dtype, device), rows * columns
        room = self._rooms.get(key)
        if room is None or len(room) < values:
            self._rooms[key] = room = torch.empty(values, dtype=dtype, device=device)
        return room[:values].view(rows, columns)


def embed(features: Tensor, name: str = "features") -> Embeddings:
    """Computes the norms of features [N, D], float32 or float64.

    Raises:
        InputError: If rows hold NaN or infinite values, or are all zero.
    """
    if features.dtype == torch.float64:
        features = _over_largest(features)
    return Embeddings.of(features, name, _norms)


def embed_transformed(features: Tensor, transform: Transform | None, name: str) -> Embeddings:
    """Does the same after a transform, if there is one; the features themselves must be usable.

    A transform that subtracts a mean would give a direction to a row of zeros.
    """
    embedded = embed(features, name)
    return embed(transform(features), name) if transform else embedded


def unit_rows(
    embeddings: Embeddings, rows: Tensor, dtype: torch.dtype, out: Tensor | None = None
) -> Tensor:
    """Returns some rows at length 1, normalised in float64 and rounded once to `dtype`.

    They are written to `out`, if it is given.
    """
    raw, inverse_norm = embeddings.raw, embeddings.inverse_norm
    result = out
    if result is None:
        result = torch.empty(len(rows), embeddings.dimensions, dtype=dtype, device=raw.device)
    if raw.device.type == "cpu" and raw.dtype == torch.float32:
        from lowlabel.retrieval.ranking.kernels import scaled_rows

        scaled_rows(raw.numpy(), rows.numpy(), inverse_norm.numpy(), result.numpy())
        return result
    step = max(1, _CHUNK_VALUES // embeddings.dimensions)
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        result[start : start + step] = raw[part].double() * inverse_norm[part, None]
    return result


def all_unit_rows(embeddings: Embeddings, dtype: torch.dtype | None = None) -> Tensor:
    """Returns all rows at length 1, by default in the dtype of the features."""
    return unit_rows(embeddings, all_rows(embeddings), dtype or embeddings.raw.dtype)


class UnitRows:
    """Rows at length 1; those of a large table are computed as they are read.

    Args:
        embeddings: The table.
        rows: Its rows in their order, int64 [N].
        dtype: As `unit_rows`.
    """

    def __init__(self, embeddings: Embeddings, rows: Tensor, dtype: torch.dtype) -> None:
        self._embeddings, self._rows, self._dtype = embeddings, rows, dtype
        self._rooms = Rooms()
        fits = len(rows) * embeddings.dimensions * dtype.itemsize <= MOST_BYTES
        self._held = unit_rows(embeddings, rows, dtype) if fits else None

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, places: slice | Tensor) -> Tensor:
        """Rows at some places, [n, D]."""
        if self._held is not None:
            return self._held[places]
        return unit_rows(self._embeddings, self._rows[places], self._dtype)

    def block(self, start: int, stop: int) -> Tensor:
        """Rows `start` to `stop`, [n, D], which are valid until the thread's next block."""
        if self._held is not None:
            return self._held[start:stop]
        shape = stop - start, self._embeddings.dimensions
        room = self._rooms.take("block", *shape, self._dtype, self._rows.device)
        return unit_rows(self._embeddings, self._rows[start:stop], self._dtype, room)

    def empty(self, values: int) -> Tensor:
        """Room for as many values of the type of the rows."""
        return torch.empty(values, dtype=self._dtype, device=self._rows.device)


def all_rows(embeddings: Embeddings) -> Tensor:
    """Row numbers 0, 1, … N-1."""
    return torch.arange(len(embeddings), device=embeddings.raw.device)


def products_with(embeddings: Embeddings, unit: Tensor) -> Tensor:
    """Similarities [n, N] of `unit` rows [n, D] with all embeddings, in the dtype of `unit`.

    If nothing can overflow, the products are scaled instead of the rows: a copy of the rows would
    cost more than the product with a few queries. Both ways keep to `product_margin`.
    """
    out = unit.new_empty(len(unit), len(embeddings))
    low, high = embeddings.inverse_norm.aminmax()
    if embeddings.raw.dtype == unit.dtype and low > 1 / _MODERATE and high < _MODERATE:
        return multiply(unit, embeddings.raw, out).mul_(embeddings.inverse_norm.to(unit.dtype))
    return multiply(unit, all_unit_rows(embeddings, unit.dtype), out)


def multiply(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """Writes a @ b.T to `out`, summed piece by piece to keep `product_margin` small."""
    torch.mm(a[:, :_PIECE], b[:, :_PIECE].T, out=out)
    for start in range(_PIECE, a.shape[1], _PIECE):
        piece = slice(start, start + _PIECE)
        torch.addmm(out, a[:, piece], b[:, piece].T, out=out)
    return out


def product_margin(dimensions: int, dtype: torch.dtype) -> float:
    """Bounds the distance of an entry of `multiply` for unit rows from the float64 cosine.

    A sum of n products errs by at most n·u·Σ|aᵢbᵢ|, whatever its order, and Σ|aᵢbᵢ| ≤ 1 (Higham,
    "Accuracy and Stability of Numerical Algorithms", §3.1; u is half the machine epsilon). Each
    piece is such a sum, and adding the pieces is another; rounding the rows, or one of them and
    the scale of the product, adds 2u to 3u, and rounding the bounds u. The error of the cosine
    itself is far smaller than that of float32; in float64 the tolerance for ties covers both.
    """
    if dtype == torch.float64:
        return tie_tolerance(dimensions)
    additions = min(dimensions, _PIECE) + math.ceil(dimensions / _PIECE)
    return (additions + 8) * torch.finfo(dtype).eps / 2


def tie_tolerance(dimensions: int) -> float:
    """The difference up to which two float64 cosines cannot be told from equal ones.

    The dot product errs by D·u, each of the two norms by (D/2 + 2)·u: twice the sum for two.
    """
    return 4 * (dimensions + 4) * torch.finfo(torch.float64).eps / 2


def _over_largest(features: Tensor) -> Tensor:
    """Divides each row by its largest magnitude: the same numbers at every power of two."""
    largest = features.abs().amax(dim=1, keepdim=True)
    return features / torch.where(largest > 0, largest, 1)


def _norms(features: Tensor) -> Tensor:
    """L2 norms in float64; on a CPU by a compiled loop, twenty times as fast as torch."""
    if features.device.type == "cpu" and features.dtype == torch.float32:
        from lowlabel.retrieval.ranking.kernels import row_norms

        return torch.from_numpy(row_norms(features.numpy()))
    return vector_norms(features)
