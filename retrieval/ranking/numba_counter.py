"""The counter for CPUs: compiled loops."""

import numpy as np
import torch
from torch import Tensor

from lowlabel.retrieval.ranking.comparison import Comparison
from lowlabel.retrieval.ranking.kernels import Job, count_by_look_up, count_by_tiles, pair_cosines
from lowlabel.retrieval.ranking.positives import Positives
from lowlabel.retrieval.ranking.rivals import RivalList

_POLICIES = {"pessimistic": 1, "optimistic": -1, "index": 0}
_FEW = 192  # positives up to which comparing with each of them is faster than a look-up


class NumbaCounter:
    """Reads each block once. Safe to call from several threads."""

    def __init__(self, comparison: Comparison) -> None:
        queries, gallery, layout = comparison.queries, comparison.gallery, comparison.layout
        none = torch.empty(0, dtype=torch.int64).numpy()
        counts = torch.empty(0, dtype=torch.int32).numpy()
        doubt_from, doubt_to = comparison.doubt
        self._job = Job(
            queries=queries.raw.numpy(),
            gallery=gallery.raw.numpy(),
            query_scale=queries.inverse_norm.numpy(),
            gallery_scale=gallery.inverse_norm.numpy(),
            query_row=layout.queries.numpy(),
            gallery_row=layout.gallery.numpy(),
            start=layout.start.numpy(),
            stop=layout.stop.numpy(),
            begin=0,
            offsets=none,
            cosine=torch.empty(0, dtype=torch.float64).numpy(),
            row=none,
            counts=counts,
            doubt_from=doubt_from,
            doubt_to=doubt_to,
            tie=comparison.tie,
            policy=_POLICIES[comparison.ties],
            exact=comparison.exact,
            most_rivals=0,
            listed=counts,
            rivals=torch.empty(2, 0, dtype=torch.int32).numpy(),
            listed_now=np.zeros(1, np.int64),
        )
        self._few = int((layout.positives <= _FEW).sum())  # queries with few positives come first

    def cosines(self, query_rows: Tensor, gallery_rows: Tensor) -> Tensor:
        """Computes float64 cosines [P] of pairs of rows [P] and [P]."""
        return torch.from_numpy(pair_cosines(query_rows.numpy(), gallery_rows.numpy(), self._job))

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
        """Adds to `counts`; see `Counter.count`."""
        job = self._job._replace(
            begin=positives.begin,
            offsets=positives.offsets.numpy(),
            cosine=positives.cosine.numpy(),
            row=positives.rows.numpy(),
            counts=counts.numpy(),
        )
        end, width = block.shape[::-1] if transposed else block.shape
        listed_now = np.zeros(1, np.int64)
        if rivals is not None:
            room = end * min(rivals.most, width)
            job = job._replace(
                most_rivals=rivals.most,
                listed=rivals.listed.numpy(),
                rivals=np.empty((2, room), np.int32),
                listed_now=listed_now,
            )
        few = min(max(self._few - first_query, 0), end)
        for count, part in ((count_by_tiles, (0, few)), (count_by_look_up, (few, end))):
            if part[0] < part[1]:
                count(block.numpy(), transposed, *part, first_query, first_place, job)
        if rivals is not None:
            rivals.parts.append(torch.from_numpy(job.rivals[:, : listed_now[0]].copy()))
