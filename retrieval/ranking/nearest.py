"""The nearest images by inner product, exactly."""

from typing import NamedTuple

import torch
from torch import Tensor

from lowlabel.errors import InputError, number_of
from lowlabel.precision import full_precision
from lowlabel.retrieval.ranking.blocks import row_blocks
from lowlabel.retrieval.ranking.twins import Twins


class Neighbours(NamedTuple):
    """The k nearest images of each query.

    Attributes:
        similarity: Falling [Q, k]; -inf where an approximate search found fewer.
        rows: Rows in the gallery, int64 [Q, k]; -1 where it found fewer.
        lowest: The smallest similarity to any gallery image [Q], or [0] if not requested.
    """

    similarity: Tensor
    rows: Tensor
    lowest: Tensor


def nearest(
    queries: Tensor,
    gallery: Tensor,
    k: int,
    *,
    self_rows: Tensor | None = None,
    lowest: bool = False,
) -> Neighbours:
    """Finds the k gallery images with the largest inner product.

    Twins, whose rows are equal up to rounding, have one similarity and come in the order of their
    rows.

    Args:
        queries: [Q, D].
        gallery: [G, D].
        k: At most the number of images that a query is compared with.
        self_rows: Row of each query's own image in the gallery, int64 [Q], which is left out.
        lowest: Whether to return the smallest similarity too.

    Raises:
        InputError: If k is larger than the gallery.
    """
    others = len(gallery) - (self_rows is not None)
    if k > others:
        raise InputError(
            f"{k} neighbours were requested from a gallery with "
            f"{number_of(others, 'images')} to find",
            f"Ask for at most {others}.",
        )
    twins = Twins.of(gallery)
    searched = gallery[twins.first] if twins else gallery
    similarity = queries.new_empty(len(queries), k)
    rows = torch.empty(len(queries), k, dtype=torch.int64, device=queries.device)
    smallest = queries.new_empty(len(queries) if lowest else 0)
    with full_precision():
        for start, stop in row_blocks(len(queries), len(gallery)):
            block = queries[start:stop] @ searched.T
            if lowest:
                smallest[start:stop] = block.amin(dim=1)
            itself = None if self_rows is None else self_rows[start:stop]
            if itself is not None:
                _leave_out(block, itself, twins)
            if not twins:
                torch.topk(block, k, out=(similarity[start:stop], rows[start:stop]))
                continue
            best = block.topk(min(k, block.shape[1]), dim=1)
            place, rows[start:stop] = twins.members_of(best.indices, k, itself)
            similarity[start:stop] = best.values.gather(1, place)
    return Neighbours(similarity, rows, smallest)


def _leave_out(block: Tensor, self_rows: Tensor, twins: Twins) -> None:
    """Puts the column of each query's own image last, unless it stands for twins too."""
    own = twins.group[self_rows]
    alone = (twins.sizes[own] == 1).nonzero().flatten()
    block[alone, own[alone]] = -torch.inf
