"""The nearest train images of each test image, the same on every device.

Cosines are computed in float64, rounded to a grid and packed with the train row into one integer.
Different rows have different integers, so the k largest and their order are unique: they depend
neither on the block size nor on how a sort treats equal values.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from lowlabel.embeddings import Embeddings
from lowlabel.errors import InputError

_ROW_BITS = 26
_GRID = 2.0**35  # cosines that differ by less than the grid, 3e-11, are ties
_TRAIN_BLOCK = 8192


def nearest(
    train: Embeddings, test: Embeddings, k: int, block_size: int
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """The k train images most similar to each test image, block by block.

    Equally similar train images are ordered by row.

    Args:
        train: Embeddings to search.
        test: Embeddings to find neighbours for.
        k: Number of neighbours, at most the number of train images.
        block_size: Number of test images per block.

    Yields:
        The block's test rows, the neighbours' cosines (descending, float64 [block, k]) and their
        train rows (int64 [block, k]).

    Raises:
        InputError: If there are more than 2²⁶ (67 million) train images.
    """
    most = 2**_ROW_BITS
    if len(train) > most:
        raise InputError(f"k-NN takes at most {most:,} train images, not {len(train):,}")
    for start in range(0, len(test), block_size):
        block = slice(start, min(start + block_size, len(test)))
        queries = _unit(test, block.start, block.stop)
        keys = torch.empty(len(queries), 0, dtype=torch.int64, device=queries.device)
        for first in range(0, len(train), _TRAIN_BLOCK):
            found = _keys(queries, train, first, min(first + _TRAIN_BLOCK, len(train)))
            keys = _largest(torch.cat([keys, _largest(found, k)], dim=1), k)
        yield block, (keys >> _ROW_BITS) / _GRID, most - 1 - (keys & (most - 1))


def _keys(queries: Tensor, train: Embeddings, first: int, last: int) -> Tensor:
    """Cosine on the grid in the high bits, train row in descending order in the low bits."""
    cosines = queries @ _unit(train, first, last).T
    keys = cosines.mul_(_GRID).round_().to(torch.int64).bitwise_left_shift_(_ROW_BITS)
    rows = torch.arange(first, last, device=keys.device)
    return keys.bitwise_or_(2**_ROW_BITS - 1 - rows)


def _unit(embeddings: Embeddings, start: int, stop: int) -> Tensor:
    """Rows `start` to `stop` at length 1, in float64."""
    return embeddings.raw[start:stop].double() / embeddings.norm[start:stop, None]


def _largest(keys: Tensor, k: int) -> Tensor:
    return keys.topk(min(k, keys.shape[1]), dim=1).values
