"""What is compared with what, and when two similarities are equal.

The rank of a positive is the number of negatives before it, plus its place among the positives.
A block of a matrix product decides nearly every pair of a negative and a positive. A pair within
the rounding error of the product is compared again by float64 cosines, and cosines that are equal
in float64 are ties. The counts are those of float64 arithmetic, whatever the block size, the
number of threads or the device.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from lowlabel.embeddings import Embeddings
from lowlabel.retrieval.ranking.positives import Layout
from lowlabel.retrieval.ranking.products import product_margin, tie_tolerance

Ties = Literal["pessimistic", "optimistic", "index"]

_MOST_DOUBTS = 0.02  # doubtful pairs per float32 entry above which float64 products are faster


@dataclass(frozen=True)
class Comparison:
    """Two sets of embeddings and the rules by which their similarities are compared.

    Attributes:
        queries: Embeddings of the queries.
        gallery: Embeddings of the gallery; the same object in leave-one-out.
        layout: The order of queries and gallery in a block.
        ties: Whether a negative as similar as a positive is ranked before it ("pessimistic"),
            after it ("optimistic"), or by its row in the gallery ("index").
        dtype: float32 or float64, the dtype of a block.
        precomputed: Whether a block holds the similarities themselves instead of rounded cosines:
            the larger entry then wins, and only equal entries are ties.
    """

    queries: Embeddings
    gallery: Embeddings
    layout: Layout
    ties: Ties
    dtype: torch.dtype = torch.float32
    precomputed: bool = False

    @property
    def exact(self) -> bool:
        """Whether an entry of a block needs no second look in float64."""
        return self.precomputed or self.dtype == torch.float64

    @property
    def doubt(self) -> tuple[float, float]:
        """The interval around a positive's cosine in which an entry of a block decides nothing.

        A float32 product is in doubt within its rounding error. A float64 product is as good as
        the cosine, so only ties by index are left open.
        """
        if self.precomputed:
            return 0.0, 0.0
        if self.dtype == torch.float64 and self.ties != "index":
            edge = -self.tie if self.ties == "pessimistic" else self.tie
            return edge, edge
        margin = product_margin(self.queries.dimensions, self.dtype)
        return -margin, margin

    @property
    def tie(self) -> float:
        """The difference up to which two similarities are equal."""
        return 0.0 if self.precomputed else tie_tolerance(self.queries.dimensions)


def product_dtype(gaps: Tensor, negative: Tensor, positives: float, width: int) -> torch.dtype:
    """Chooses float32, or float64 if float32 would leave too many pairs in doubt.

    Float32 does so for collapsed embeddings and for queries with many positives. The share of
    doubtful pairs is estimated from a sample; a hundred times wider interval is counted as well,
    in case the sample has no pair in the narrow one.

    Args:
        gaps: |cosine of an image - cosine of a positive| in a sample.
        negative: Which images of the sample are compared with the positive.
        positives: Mean number of positives per query.
        width: Dimensions of the features.
    """
    margin = product_margin(width, torch.float32)
    near = [(negative & (gaps <= wide * margin)).double().mean() / wide for wide in (1, 100)]
    return torch.float64 if float(max(near)) * positives > _MOST_DOUBTS else torch.float32


def evenly_spaced(length: int, wanted: int, device: torch.device) -> Tensor:
    """Up to `wanted` evenly spaced indices below `length`."""
    wanted = min(length, wanted)
    return torch.arange(wanted, device=device) * length // max(wanted, 1)
