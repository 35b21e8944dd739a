"""Powers of two by which features are divided, so that nothing is lost when they are squared."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lowlabel.arrays import refuse_rows
from lowlabel.errors import InputError
from lowlabel.fewshot.methods import Method
from lowlabel.lazy_rows import Table, changed, of_rows
from lowlabel.scale import magnitudes, order_one, power_of_two

_SMALLEST = 2.0**-50  # products of two smaller float32 entries lose digits
_EQUAL_ENOUGH = 2.0**-60, 2.0**12  # lengths around the median that float32 resolves side by side


@dataclass(frozen=True)
class Rescaling:
    """Divides rows by powers of two: each by its own, or all by that of the median row."""

    by_row: bool
    power: Tensor

    @classmethod
    def of(cls, method: Method, magnitude: Tensor) -> "Rescaling":
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
        """Rescales rows [B, D]."""
        if self.by_row:  # the transform does the same to float32, which needs no conversion
            return rows if rows.dtype == torch.float32 else order_one(rows)
        return rows if self.power == 1 else rows / self.power

    def take(self, rows: Tensor, name: str) -> Table:
        """Rescales a table and converts it to float32.

        Raises:
            InputError: If a row is not finite in float32.
        """
        table = changed(rows, lambda part: self(part).float())
        refuse_infinite(of_rows(table, magnitudes), name)
        return table


def refuse_infinite(magnitude: Tensor, name: str) -> None:
    """Raises an `InputError` with the rows whose largest magnitude, [N, 1], is not finite."""
    refuse_rows(~magnitude[:, 0].isfinite(), name, "hold NaN or infinite values in float32")


def _median(magnitude: Tensor) -> Tensor:
    """Median of the finite ones above 0; 1 if there are none."""
    usable = magnitude[(magnitude > 0) & magnitude.isfinite()]
    return usable.median() if len(usable) else torch.ones_like(magnitude[0, 0])


def differ_widely(magnitude: Tensor) -> bool:
    """Whether float32 cannot resolve rows of these lengths side by side."""
    median, low, high = _median(magnitude), *_EQUAL_ENOUGH
    outside = (magnitude < low * median) | (magnitude > high * median)
    return bool((outside & (magnitude > 0)).any())
