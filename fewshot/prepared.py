"""Features as a method takes them: in float32, on the device, at a scale at which nothing is lost.

A method says which of the features' lengths it depends on (`Method.lengths`). All others are
removed by powers of two before anything is squared. Such a power changes no digit, so features and
their multiples by a power of two become the same numbers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.arrays import Features, Labels, as_features, as_float32
from lowlabel.errors import InputError
from lowlabel.fewshot.base_statistics import BaseStatistics, base_statistics
from lowlabel.fewshot.methods import Method
from lowlabel.scale import magnitudes, order_one, power_of_two

_SMALLEST = 2.0**-50  # products of two smaller float32 entries lose digits
_EQUAL_ENOUGH = 2.0**-60, 2.0**12  # lengths around the median that float32 resolves side by side


@dataclass(frozen=True)
class Prepared:
    """Transformed features of the novel classes, and the statistics of the base classes.

    Attributes:
        features: [N, D], float32; float64 if lengths are compared that float32 cannot resolve.
        base: Statistics of the base classes, if they were given.
    """

    features: Tensor
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
    method.require_usable(rows)
    scale = _Rescaling.of(method, rows)
    table = as_float32(scale(rows), device)
    statistics = None
    if base is not None:
        statistics = base_statistics(base, table, scale)
    if method.needs_base:
        statistics = method.require_base(statistics)
    with torch.inference_mode():
        transformed = method.transform(table, statistics)
        if method.lengths == "relative" and _lengths_differ_widely(transformed):
            transformed = transformed.double()
    return Prepared(transformed, statistics)


@dataclass(frozen=True)
class _Rescaling:
    """Divides rows by powers of two: each by its own, or all by that of the median row."""

    by_row: bool
    power: Tensor

    @classmethod
    def of(cls, method: Method, rows: Tensor) -> "_Rescaling":
        """Chooses by the lengths that the method depends on."""
        median = _median(magnitudes(rows))
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


def _median(magnitude: Tensor) -> Tensor:
    """Median of the finite ones above 0; 1 if there are none."""
    usable = magnitude[(magnitude > 0) & magnitude.isfinite()]
    return usable.median() if len(usable) else torch.ones_like(magnitude[0, 0])


def _lengths_differ_widely(rows: Tensor) -> bool:
    magnitude = magnitudes(rows)
    median, low, high = _median(magnitude), *_EQUAL_ENOUGH
    outside = (magnitude < low * median) | (magnitude > high * median)
    return bool((outside & (magnitude > 0)).any())
