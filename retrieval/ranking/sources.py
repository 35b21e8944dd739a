"""Databases that do not fit in memory: features that are read in blocks of rows."""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from lowlabel.arrays import as_features, require_same_width
from lowlabel.errors import InputError

_MADE_BY = ("model", "weights_sha256", "transform", "pooling", "dtype")


class RowSource(Protocol):
    """Features [N, D] read by rows: an array, a tensor, an `h5py.Dataset`, or another object.

    A block may hold fewer rows than were asked for, if a source leaves out broken ones.
    """

    @property
    def shape(self) -> Any:
        """(N, D)."""
        ...

    def __getitem__(self, rows: slice, /) -> Any:
        """Features [at most `rows`, D], numpy or torch."""
        ...


def as_sources(sources: RowSource | Sequence[RowSource], width: int) -> list[RowSource]:
    """Returns one source or several as a list, without reading them.

    Raises:
        InputError: If one is not a matrix, or not as wide as the queries.
    """
    listed: list[Any] = list(sources) if isinstance(sources, list | tuple) else [sources]
    for number, source in enumerate(listed):
        shape = getattr(source, "shape", None)
        if shape is None or len(shape) != 2:
            found = type(source).__name__ if shape is None else f"of shape {tuple(shape)}"
            raise InputError(
                f"distractors[{number}] is {found}, not a matrix [images, dimensions]",
                "Pass an array, an h5py.Dataset, or a list of them.",
            )
        require_same_width({"query features": width, f"distractors[{number}]": shape[1]})
    return listed


def read_rows(source: RowSource, start: int, stop: int, name: str) -> Tensor | None:
    """Reads rows `start` to `stop` as checked floats; None if the source leaves out all of them."""
    rows = source[start:stop]
    return as_features(rows, name) if len(rows) else None


def require_one_model(sources: dict[str, object]) -> None:
    """Compares the provenance that feature files of the suite carry; other sources have none.

    Raises:
        InputError: If two were made with different models, weights or preprocessing.
    """
    origins = {name: origin for name, source in sources.items() if (origin := _origin(source))}
    if not origins:
        return
    first, *others = origins
    for name in others:
        for fact in _MADE_BY:
            one, other = origins[first].get(fact), origins[name].get(fact)
            if one != other:
                raise InputError(
                    f"{first} and {name} were not made alike: {fact} {one} against {other}",
                    "Extract all of them with one model and the same options.",
                )


def _origin(source: object) -> dict[str, Any] | None:
    attributes = getattr(getattr(source, "file", None), "attrs", {})
    return json.loads(attributes["key"]) if "key" in attributes else None
