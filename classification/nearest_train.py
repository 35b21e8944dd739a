"""The nearest train images of each test image, the same on every device.

Cosines are computed in float64, rounded to a grid and packed with the train row into one integer.
Different rows have different integers, so the k largest and their order are unique: they depend
neither on the block size nor on how a sort treats equal values.

On a CPU float32 products choose the candidates: all train images but those that k others exceed by
more than rounding can explain. Only candidates have float64 cosines.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.embeddings import Embeddings
from lowlabel.errors import InputError
from lowlabel.precision import full_precision
from lowlabel.workers import cpu_workers, run_parallel

_ROW_BITS = 26
_GRID = 2.0**35  # cosines that differ by less than the grid, 3e-11, are ties
_TRAIN_BLOCK = 8192
_STRIP = 512  # test rows whose products with a tile stay in a core's cache
_TILE = 2048
_STRIPS = 4  # that share a tile whose rows are gathered
_MOST_NEIGHBOURS = 2048  # with candidates; beyond that they would be most of the train images
_SPARE = 512  # candidates besides 3 k
_MODERATE = 1e12  # norms whose rows need not be scaled before the products

_BLOCK_ROWS = {"cpu": 512}
_ACCELERATOR_ROWS = 4096

Found = tuple[slice, Tensor, Tensor]


def usual_block(device: torch.device) -> int:
    """The usual number of test images per block."""
    return _BLOCK_ROWS.get(device.type, _ACCELERATOR_ROWS)


def nearest(train: Embeddings, test: Embeddings, k: int, block_size: int) -> Iterator[Found]:
    """The k train images most similar to each test image, block by block in any order.

    Equally similar train images are ordered by row.

    Args:
        train: Embeddings to search.
        test: Embeddings to find neighbours for.
        k: Number of neighbours, at most the number of train images.
        block_size: Number of test images per block, at most.

    Yields:
        The block's test rows, the neighbours' cosines (descending, float64 [block, k]) and their
        train rows (int64 [block, k]).

    Raises:
        InputError: If there are more than 2²⁶ (67 million) train images.
    """
    most = 2**_ROW_BITS
    if len(train) > most:
        raise InputError(f"k-NN takes at most {most:,} train images, not {len(train):,}")
    device = train.raw.device
    filtered = device.type == "cpu" and k <= _MOST_NEIGHBOURS
    strips = 1 if train.places is None else _STRIPS
    step = min(block_size, _STRIP) * strips if filtered else block_size
    blocks = [slice(at, min(at + step, len(test))) for at in range(0, len(test), step)]
    search = _Filter.of(train, test, k).keys if filtered else _Direct(train, test, k).keys
    workers = cpu_workers(device) if filtered else 1
    with (
        full_precision(),
        closing(run_parallel(lambda block: (block, search(block)), blocks, workers)) as work,
    ):
        for block, keys in work:
            yield block, (keys >> _ROW_BITS).double() / _GRID, most - 1 - (keys & (most - 1))


@dataclass(frozen=True)
class _Direct:
    """Compares all train images in float64."""

    train: Embeddings
    test: Embeddings
    k: int

    def keys(self, block: slice) -> Tensor:
        """The k largest keys of some test rows, descending, int64 [block, k]."""
        queries = _unit(self.test, block.start, block.stop)
        keys = torch.empty(len(queries), 0, dtype=torch.int64, device=queries.device)
        for first in range(0, len(self.train), _TRAIN_BLOCK):
            last = min(first + _TRAIN_BLOCK, len(self.train))
            found = _keys(queries, self.train, first, last)
            keys = _largest(torch.cat([keys, _largest(found, self.k)], dim=1), self.k)
        return keys


@dataclass(frozen=True)
class _Filter:
    """Compares candidates in float64, and all train images where there are too many candidates.

    Attributes:
        train: Embeddings to search.
        test: Embeddings to find neighbours for.
        k: Number of neighbours.
        rows: Train rows that are multiplied, float32.
        scale: Factor that makes a product of a row and a test row of length 1 a cosine [N].
        places: The row of the table of each train row, int64 [N].
    """

    train: Embeddings
    test: Embeddings
    k: int
    rows: Embeddings
    scale: Tensor
    places: Tensor

    @classmethod
    def of(cls, train: Embeddings, test: Embeddings, k: int) -> "_Filter":
        """Scales products where nothing can overflow, else the rows."""
        low, high = train.norm.aminmax()
        if train.raw.dtype == torch.float32 and low > 1 / _MODERATE and high < _MODERATE:
            return cls(train, test, k, train, train.inverse_norm.float(), _places(train))
        rows = torch.empty(len(train), train.dimensions)
        for first in range(0, len(train), _TRAIN_BLOCK):
            last = min(first + _TRAIN_BLOCK, len(train))
            rows[first:last] = _unit(train, first, last)
        one = torch.ones(len(train))
        return cls(train, test, k, Embeddings(rows, one), one, _places(train))

    @property
    def margin(self) -> float:
        """Twice the most by which a float32 product can differ from the float64 cosine.

        A sum of D products of unit rows errs by at most D·u (Higham, "Accuracy and Stability of
        Numerical Algorithms", §3.1; u is half the machine epsilon), rounding the rows and the scale
        by 4u, the bound by u.
        """
        return (self.train.dimensions + 8) * torch.finfo(torch.float32).eps + 2 / _GRID

    def keys(self, block: slice) -> Tensor:
        """The k largest keys of some test rows, descending, int64 [block, k]."""
        from lowlabel.classification.kernels import collect, exact_keys, prune

        queries = _unit(self.test, block.start, block.stop).float()
        capacity = 3 * self.k + _SPARE
        values = torch.full((len(queries), capacity + 1), -torch.inf)
        rows = torch.empty(len(queries), capacity, dtype=torch.int32)
        counts = torch.zeros(len(queries), dtype=torch.int64)
        products = torch.empty(min(len(queries), _STRIP) * _TILE)
        found = torch.empty(len(queries), self.k, dtype=torch.int64)
        arrays = values.numpy(), rows.numpy(), counts.numpy()
        for first in range(0, len(self.train), _TILE):
            tile = self.rows.rows(first, first + _TILE)
            scale = self.scale[first : first + _TILE].numpy()
            for at in range(0, len(queries), _STRIP):
                strip = queries[at : at + _STRIP]
                out = products[: len(strip) * len(tile)].view(len(strip), len(tile))
                torch.mm(strip, tile.T, out=out)
                collected = (array[at : at + _STRIP] for array in arrays)
                collect(out.numpy(), scale, first, self.k, self.margin, *collected)
        prune(*arrays, self.k, self.margin)
        exact_keys(
            self.test.rows(block.start, block.stop).double().numpy(),
            self.train.raw.numpy(),
            self.test.norm[block].numpy(),
            self.train.norm.numpy(),
            self.places.numpy(),
            rows.numpy(),
            counts.numpy(),
            _GRID,
            _ROW_BITS,
            found.numpy(),
        )
        self._search_all(block, counts < self.k, found)
        return found

    def _search_all(self, block: slice, rows: Tensor, found: Tensor) -> None:
        """Compares some rows with all train images, such as those with thousands of equal ones."""
        places = rows.nonzero().flatten()
        if len(places):
            tests = self.test.part(block.start, block.stop)
            some = Embeddings(tests.rows(0, len(tests))[places], tests.norm[places])
            found[places] = _Direct(self.train, some, self.k).keys(slice(0, len(places)))


def _keys(queries: Tensor, train: Embeddings, first: int, last: int) -> Tensor:
    """Cosine on the grid in the high bits, train row in descending order in the low bits."""
    cosines = queries @ _unit(train, first, last).T
    keys = cosines.mul_(_GRID).round_().to(torch.int64).bitwise_left_shift_(_ROW_BITS)
    rows = torch.arange(first, last, device=keys.device)
    return keys.bitwise_or_(2**_ROW_BITS - 1 - rows)


def _unit(embeddings: Embeddings, start: int, stop: int) -> Tensor:
    """Rows `start` to `stop` at length 1, in float64."""
    return embeddings.rows(start, stop).double() / embeddings.norm[start:stop, None]


def _places(train: Embeddings) -> Tensor:
    """The row of the table of each train row, int64 [N]."""
    return torch.arange(len(train)) if train.places is None else train.places


def _largest(keys: Tensor, k: int) -> Tensor:
    return keys.topk(min(k, keys.shape[1]), dim=1).values
