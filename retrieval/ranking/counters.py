"""Counters: count the negatives before each positive in a block of similarities."""

from typing import Protocol

import torch
from torch import Tensor

from lowlabel.retrieval.ranking.comparison import Comparison
from lowlabel.retrieval.ranking.positives import Positives
from lowlabel.retrieval.ranking.rivals import RivalList


class Counter(Protocol):
    """Compares blocks of similarities with the similarities of positives."""

    def __init__(self, comparison: Comparison) -> None: ...

    def cosines(self, query_rows: Tensor, gallery_rows: Tensor) -> Tensor:
        """Computes float64 cosines [P] of pairs of rows [P] and [P]."""
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
        rivals: RivalList | None = None,
    ) -> None:
        """Adds to `counts` the negatives in the block that are ranked before each positive.

        Args:
            block: Similarities [queries, gallery], or [gallery, queries] if `transposed`.
            positives: Positives of a run of queries that includes those of the block.
            first_query: Place of the first query in the block.
            first_place: Place of the first gallery image in the block.
            counts: int32 [P], one entry per positive of `positives`.
            transposed: Whether the columns of the block are the queries.
            rivals: Where to list the negatives before each query's best positive, if anywhere.
        """
        ...


def counter_for(device: torch.device) -> type[Counter]:
    """Returns the compiled counter on a CPU and the tensor counter on other devices."""
    if device.type == "cpu":
        from lowlabel.retrieval.ranking.numba_counter import NumbaCounter

        return NumbaCounter
    from lowlabel.retrieval.ranking.torch_counter import TorchCounter

    return TorchCounter
