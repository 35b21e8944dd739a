"""Features as a method takes them: in float32, on the device, at a scale at which nothing is lost.

A method says which of the features' lengths it depends on (`Method.lengths`). All others are
removed by powers of two before anything is squared. Such a power changes no digit, so features and
their multiples by a power of two become the same numbers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lowlabel.arrays import Features, Labels, as_features
from lowlabel.fewshot.base_statistics import BaseStatistics, base_statistics
from lowlabel.fewshot.methods import Method
from lowlabel.fewshot.preparation.rescaling import Rescaling, differ_widely, refuse_infinite
from lowlabel.lazy_rows import Table, changed, of_rows
from lowlabel.scale import magnitudes


@dataclass(frozen=True)
class Prepared:
    """Transformed features of the novel classes, and the statistics of the base classes.

    Attributes:
        features: [N, D], float32; float64 if lengths are compared that float32 cannot resolve.
            Those of a large table are transformed as they are read.
        base: Statistics of the base classes, if they were given.
    """

    features: Table
    base: BaseStatistics | None


def prepare(
    method: Method,
    features: Features,
    base: tuple[Features, Labels] | None,
    device: torch.device,
) -> Prepared:
    """Checks and transforms features for a method.

    Args:
        method: The method.
        features: Embeddings of the novel classes, floats [N, D].
        base: Features and labels of the base classes.
        device: Device to compute on.

    Raises:
        InputError: If the arrays are invalid, or the method cannot use features of this kind or
            scale.
    """
    rows = as_features(features).to(device)
    preparation = Preparation.of(method, lambda: iter([rows]), base, device)
    return Prepared(changed(rows, preparation), preparation.base)


@dataclass(frozen=True)
class Preparation:
    """What is done to features for a method, so that it can be done to some at a time.

    Attributes:
        method: The method.
        scale: Brings features to a scale at which nothing is lost.
        base: Statistics of the base classes, if they were given.
        device: Device to compute on.
        wide: Whether lengths are compared that float32 cannot resolve.
    """

    method: Method
    scale: "Rescaling"
    base: BaseStatistics | None
    device: torch.device
    wide: bool = False

    @classmethod
    def of(
        cls,
        method: Method,
        blocks: Callable[[], Iterator[Tensor]],
        base: tuple[Features, Labels] | None,
        device: torch.device,
    ) -> "Preparation":
        """Decides it from features that are read block by block; see `prepare`.

        Args:
            method: The method.
            blocks: Yields the features in blocks [B, D], each time from the first on.
            base: Features and labels of the base classes.
            device: Device to compute on.
        """
        lengths = []
        for rows in blocks():
            method.require_usable(rows)
            lengths.append(magnitudes(rows))
        given = torch.cat(lengths)
        scale = Rescaling.of(method, given)
        scaled = scale(given).float()
        refuse_infinite(scaled, "features")
        statistics = None if base is None else base_statistics(base, rows, scale.take)
        if method.needs_base:
            statistics = method.require_base(statistics)
        found = cls(method, scale, statistics, device)
        if method.lengths != "relative" and not method.needs_base:
            return found
        transformed = torch.cat([of_rows(rows, found.magnitudes) for rows in blocks()])
        method.require_comparable(scaled, transformed, statistics)
        wide = method.lengths == "relative" and differ_widely(transformed)
        return replace(found, wide=wide)

    def __call__(self, rows: Tensor) -> Tensor:
        """Features as the method takes them, [B, D] → [B, D]."""
        table = self.scale(rows).to(self.device, torch.float32)
        with torch.inference_mode():
            transformed = self.method.transform(table, self.base)
            return transformed.double() if self.wide else transformed

    def magnitudes(self, rows: Tensor) -> Tensor:
        """Largest magnitude of each row as the method takes it, [B, D] → [B, 1]."""
        return magnitudes(self(rows))
