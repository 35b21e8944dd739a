"""Ranks are counts: how many negatives stand before each positive, found without any sort.

A block of a matrix product tells for nearly every pair on which side of a positive's similarity a
negative lies. The pairs that lie within the product's rounding error of it are compared again by
their float64 cosines, and those that are equal in float64 are ties. So the counts are the ones of
float64 arithmetic, whatever the block size, the number of threads or the processor.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from lowlabel.retrieval.ranking.embeddings import Embeddings, product_margin, tie_tolerance
from lowlabel.retrieval.ranking.positives import Layout, Positives

Ties = Literal["pessimistic", "optimistic", "index"]

_DOUBTS = 0.02  # comparisons in doubt for each float32 entry beyond which float64 is faster


@dataclass(frozen=True)
class Comparison:
    """What is compared, and when two similarities are equal.

    Attributes:
        queries: The queries' embeddings.
        gallery: The gallery's; the same object in leave-one-out.
        layout: The order in which blocks hold them.
        ties: Whether a negative as similar as a positive stands before it ("pessimistic"), after
            it ("optimistic"), or where its row in the gallery puts it ("index").
        dtype: Of the blocks, float32 or float64.
        given: Whether the blocks are the similarities themselves, and no roundings of cosines:
            what decides is then which entry is larger, and equal ones are ties.
    """

    queries: Embeddings
    gallery: Embeddings
    layout: Layout
    ties: Ties
    dtype: torch.dtype = torch.float32
    given: bool = False

    @property
    def exact(self) -> bool:
        """Whether an entry of a block decides as it is."""
        return self.given or self.dtype == torch.float64

    @property
    def doubt(self) -> tuple[float, float]:
        """From where to where about a positive's cosine an entry of a product decides nothing.

        A float32 product decides beyond its rounding error. A float64 one is as good as the
        cosine, so that it leaves nothing open but ties that stand by index.
        """
        if self.given:
            return 0.0, 0.0
        if self.dtype == torch.float64 and self.ties != "index":
            edge = -self.tie if self.ties == "pessimistic" else self.tie
            return edge, edge
        margin = product_margin(self.queries.dimensions, self.dtype)
        return -margin, margin

    @property
    def tie(self) -> float:
        """The difference up to which two similarities are equal."""
        return 0.0 if self.given else tie_tolerance(self.queries.dimensions)


class Counter(Protocol):
    """Compares blocks of products with the similarities of positives."""

    def __init__(self, comparison: Comparison) -> None: ...

    def cosines(self, query_rows: Tensor, gallery_rows: Tensor) -> Tensor:
        """Float64 cosines [P] of the pairs of rows [P] and [P]."""
        ...

    def count(
        self,
        block: Tensor,
        positives: Positives,
        first_query: int,
        first_place: int,
        counts: Tensor,
        *,
        transposed: bool = False,
    ) -> None:
        """Adds to `counts` the negatives in `block` that stand before each positive.

        Args:
            block: Similarities [queries, gallery], or [gallery, queries] where `transposed`.
            positives: Those of a run of queries that holds the block's.
            first_query: Place of the block's first query.
            first_place: Place of the block's first gallery image.
            counts: int32 [P], one for each of `positives`.
            transposed: Whether the block's columns are the queries.
        """
        ...


def product_dtype(gaps: Tensor, negative: Tensor, positives: float, width: int) -> torch.dtype:
    """float32, unless it would leave too many comparisons in doubt.

    That is so where the embeddings have collapsed or queries have many positives. The share of
    images in doubt about a positive is taken from a sample, or from how many are that near on
    average in a wider interval where the sample holds none.

    Args:
        gaps: |cosine of an image - cosine of a positive|, of a sample.
        negative: Which of the sample's images are compared with the positive.
        positives: How many a query has on average.
        width: Dimensions of the features.
    """
    margin = product_margin(width, torch.float32)
    near = [(negative & (gaps <= wide * margin)).double().mean() / wide for wide in (1, 100)]
    return torch.float64 if float(max(near)) * positives > _DOUBTS else torch.float32


def spread(length: int, wanted: int, device: torch.device) -> Tensor:
    """Up to `wanted` indices below `length`, evenly spread."""
    wanted = min(length, wanted)
    return torch.arange(wanted, device=device) * length // max(wanted, 1)


def counter_for(device: torch.device) -> type[Counter]:
    """The compiled counter on a CPU, the one of tensor operations elsewhere."""
    if device.type == "cpu":
        from lowlabel.retrieval.ranking.counting_numba import NumbaCounter

        return NumbaCounter
    from lowlabel.retrieval.ranking.counting_torch import TorchCounter

    return TorchCounter
