"""Arrays of texts in feature files."""

from typing import Any

from numpy.typing import NDArray

TEXT = "USO"  # kinds of arrays; objects come from HDF5's texts alone


def as_texts(values: NDArray[Any]) -> tuple[str, ...]:
    """The values of an array [N] as texts."""
    return tuple(
        value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
        for value in values.tolist()
    )
