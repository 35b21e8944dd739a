"""Random numbers of the demo data, the same on every machine and numpy version."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Field = NDArray[np.float64]
Levels = NDArray[np.uint8]


class Draws:
    """A stream of random numbers that depends on its key alone.

    Uses only `SeedSequence` and the bit stream of PCG64, which numpy promises never to change;
    numpy gives no such promise for the distributions of `Generator`.

    Args:
        key: Non-negative integers that identify the stream, such as version, class and image.
    """

    def __init__(self, *key: int) -> None:
        self._key = key

    @cached_property
    def _bits(self) -> np.random.PCG64:  # of which a plain texture needs none
        return np.random.PCG64(np.random.SeedSequence(self._key))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Draws a number in [low, high)."""
        return low + (high - low) * (int(self._bits.random_raw()) >> 11) * 2.0**-53

    def ratio(self, spread: float) -> float:
        """Draws a factor in [1/spread, spread), equally often above and below one."""
        return float(spread ** self.uniform(-1.0, 1.0))

    def chance(self, probability: float) -> bool:
        """Returns True with the given probability."""
        return self.uniform() < probability

    def integer(self, stop: int) -> int:
        """Draws an integer in [0, stop)."""
        return int(self.uniform(0.0, stop))

    def choice(self, items: Sequence[T]) -> T:
        """Draws one of `items`, all equally likely."""
        return items[self.integer(len(items))]

    def array(self, *shape: int) -> Field:
        """Draws an array of numbers in [0, 1)."""
        raw = self._bits.random_raw(math.prod(shape))
        raw >>= np.uint64(11)
        uniform: Field = raw.astype(np.float64)
        uniform *= 2.0**-53
        return uniform.reshape(shape)
