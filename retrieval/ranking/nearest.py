"""The nearest images, exactly, and what is shown of them."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.retrieval.ranking.workers import full_precision

_BLOCK_VALUES = 2**25  # similarities that are in memory at once


class Neighbours(NamedTuple):
    """The k nearest of each query.

    Attributes:
        similarity: Falling [Q, k]; -inf where an approximate search found fewer.
        rows: Their rows in the gallery, int64 [Q, k]; -1 where it found fewer.
        lowest: The smallest similarity to any gallery image [Q], or [0] where it was not asked for.
    """

    similarity: Tensor
    rows: Tensor
    lowest: Tensor


def nearest(
    queries: Tensor,
    gallery: Tensor,
    k: int,
    *,
    own: Tensor | None = None,
    lowest: bool = False,
) -> Neighbours:
    """Finds the k images of largest inner product.

    Args:
        queries: [Q, D].
        gallery: [G, D].
        k: At most the number of images that a query is compared with.
        own: The row of each query's own image in the gallery, int64 [Q], which is left out.
        lowest: Whether to give the smallest similarity too.

    Raises:
        InputError: If k is larger than the gallery.
    """
    others = len(gallery) - (own is not None)
    if k > others:
        raise InputError(
            f"{k} neighbours were asked for in a gallery that has {others} images to find",
            f"Ask for at most {others}.",
        )
    similarity = queries.new_empty(len(queries), k)
    rows = torch.empty(len(queries), k, dtype=torch.int64, device=queries.device)
    smallest = queries.new_empty(len(queries) if lowest else 0)
    with full_precision():
        for start, stop in spans(len(queries), len(gallery)):
            block = queries[start:stop] @ gallery.T
            if lowest:
                smallest[start:stop] = block.amin(dim=1)
            if own is not None:
                block.scatter_(1, own[start:stop, None], -torch.inf)
            torch.topk(block, k, out=(similarity[start:stop], rows[start:stop]))
    return Neighbours(similarity, rows, smallest)


def spans(rows: int, values_each: int) -> Iterator[tuple[int, int]]:
    """Cuts rows into runs of no more than 2²⁵ values, of `values_each` a row."""
    step = max(1, _BLOCK_VALUES // max(1, values_each))
    for start in range(0, rows, step):
        yield start, min(start + step, rows)
