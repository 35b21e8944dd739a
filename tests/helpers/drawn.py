"""Small labelled features for property-based tests, and what must not change a score."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray

CONTAINERS: dict[str, Callable[[NDArray[Any]], Any]] = {
    "float64": lambda array: array.astype(np.float64) if array.dtype.kind == "f" else array,
    "torch": torch.from_numpy,
    "list": lambda array: array.tolist(),
    "not contiguous": lambda array: np.repeat(array, 2, axis=0)[::2],
    "int32 labels": lambda array: array if array.dtype.kind == "f" else array.astype(np.int32),
    "fortran": np.asfortranarray,
    "read only": lambda array: _read_only(array),
}
containers = st.sampled_from(sorted(CONTAINERS))
exponents = st.integers(-20, 20)


@dataclass(frozen=True)
class Drawn:
    """Labelled features.

    Attributes:
        features: float32 [N, D], without zero rows.
        labels: int64 [N], each class at least `least` times.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]

    def ordered(self, rows: NDArray[np.int64]) -> "Drawn":
        """Some rows."""
        return Drawn(self.features[rows], self.labels[rows])

    def renamed(self, names: NDArray[np.int64]) -> "Drawn":
        """With the label `names[i]` in place of the i-th lowest."""
        _, place = np.unique(self.labels, return_inverse=True)
        return replace(self, labels=names[place])

    def scaled(self, exponents: Any) -> "Drawn":
        """Multiplied by a power of two, of all rows or of each."""
        factors = np.exp2(np.broadcast_to(exponents, len(self.labels)))[:, None]
        return replace(self, features=(self.features * factors).astype(np.float32))

    def given(self, container: str) -> tuple[Any, Any]:
        """Features and labels as another kind of array."""
        convert = CONTAINERS[container]
        return convert(self.features), convert(self.labels)

    @property
    def pair(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Features and labels."""
        return self.features, self.labels


@st.composite
def drawn(
    draw: Any, *, classes: tuple[int, int] = (2, 5), least: int = 2, copies: bool = True
) -> Drawn:
    """Overlapping classes of several sizes, in any order; with `copies`, some may be equal."""
    count = draw(st.integers(*classes))
    sizes = draw(st.lists(st.integers(least, least + 5), min_size=count, max_size=count))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    width = draw(st.integers(1 if copies else 2, 9))  # of one dimension, many have one direction
    names = np.sort(random.choice(10**6, count, replace=False) - 10**5)
    labels = random.permutation(np.repeat(names, sizes))
    centres = dict(zip(names.tolist(), random.normal(size=(count, width)), strict=True))
    rows = np.stack([centres[label] for label in labels.tolist()])
    features = (rows + random.normal(size=rows.shape)).astype(np.float32)
    if copies and draw(st.booleans()):
        features[random.integers(0, len(features), 3)] = features[0]
    return Drawn(features, labels.astype(np.int64))


def shuffled(data: Drawn, seed: int) -> NDArray[np.int64]:
    """An order of the rows."""
    return np.random.default_rng(seed).permutation(len(data.labels))


def other_names(data: Drawn, seed: int, *, rising: bool = False) -> NDArray[np.int64]:
    """New labels for the classes, in the order of the old ones if they are to rise."""
    count = len(np.unique(data.labels))
    names = np.random.default_rng(seed).choice(10**9, count, replace=False) - 10**8
    return np.sort(names) if rising else names


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    copy = array.copy()
    copy.flags.writeable = False
    return copy
