"""Features as a method takes them: in float32, on the device, at a scale at which nothing is lost.

A method says which of the features' lengths it depends on (`Method.lengths`). All others are
removed by powers of two before anything is squared. Such a power changes no digit, so features and
their multiples by a power of two become the same numbers.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lowlabel.arrays import Features, Labels, as_features, refuse_rows
from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics, base_statistics
from lowlabel.fewshot.methods import Method
from lowlabel.lazy_rows import Table, changed, of_rows
from lowlabel.scale import magnitudes, order_one, power_of_two

_SMALLEST = 2.0**-50  # products of two smaller float32 entries lose digits
_EQUAL_ENOUGH = 2.0**-60, 2.0**12  # lengths around the median that float32 resolves side by side


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
    scale: "_Rescaling"
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
        scale = _Rescaling.of(method, given)
        scaled = scale(given).float()
        _refuse_infinite(scaled, "features")
        statistics = None if base is None else base_statistics(base, rows, scale.take)
        if method.needs_base:
            statistics = method.require_base(statistics)
        found = cls(method, scale, statistics, device)
        if method.lengths != "relative" and not method.needs_base:
            return found
        transformed = torch.cat([of_rows(rows, found.magnitudes) for rows in blocks()])
        method.require_comparable(scaled, transformed, statistics)
        wide = method.lengths == "relative" and _differ_widely(transformed)
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


@dataclass(frozen=True)
class _Rescaling:
    """Divides rows by powers of two: each by its own, or all by that of the median row."""

    by_row: bool
    power: Tensor

    @classmethod
    def of(cls, method: Method, magnitude: Tensor) -> "_Rescaling":
        """Chooses by the lengths that the method depends on, and those of the rows [N, 1]."""
        median = _median(magnitude)
        if method.lengths == "absolute":
            if 0 < median < _SMALLEST:
                raise InputError(
                    f"{method.spec} depends on the scale of the features, and their largest "
                    f"entries, {median.item():.3g} in the median row, are too small for float32",
                    "Scale them to length 1, with norm=l2 if the method has it.",
                )
            median = torch.ones_like(median)
        return cls(method.lengths == "ignored", power_of_two(median))

    def __call__(self, rows: Tensor) -> Tensor:
        if self.by_row:  # the transform does the same to float32, which needs no conversion
            return rows if rows.dtype == torch.float32 else order_one(rows)
        return rows if self.power == 1 else rows / self.power

    def take(self, rows: Tensor, name: str) -> Table:
        """Rescales a table and converts it to float32.

        Raises:
            InputError: If a row is not finite in float32.
        """
        table = changed(rows, lambda part: self(part).float())
        _refuse_infinite(of_rows(table, magnitudes), name)
        return table


def _refuse_infinite(magnitude: Tensor, name: str) -> None:
    refuse_rows(~magnitude[:, 0].isfinite(), name, "hold NaN or infinite values in float32")


def _median(magnitude: Tensor) -> Tensor:
    """Median of the finite ones above 0; 1 if there are none."""
    usable = magnitude[(magnitude > 0) & magnitude.isfinite()]
    return usable.median() if len(usable) else torch.ones_like(magnitude[0, 0])


def _differ_widely(magnitude: Tensor) -> bool:
    """Whether float32 cannot resolve rows of these lengths side by side."""
    median, low, high = _median(magnitude), *_EQUAL_ENOUGH
    outside = (magnitude < low * median) | (magnitude > high * median)
    return bool((outside & (magnitude > 0)).any())
