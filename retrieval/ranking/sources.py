"""Databases that are too large for memory: rows of features, read a block at a time."""

import json
from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from lowlabel.errors import InputError
from lowlabel.retrieval.inputs import as_features

_MADE_BY = ("model", "weights_sha256", "transform", "pooling", "dtype")


class RowSource(Protocol):
    """Features [N, D] by blocks of rows: an array, a tensor, an `h5py.Dataset`, or one's own.

    A block may hold fewer rows than were asked for, where a source leaves broken ones out.
    """

    @property
    def shape(self) -> Any:
        """(N, D)."""
        ...

    def __getitem__(self, rows: slice, /) -> Any:
        """Features [at most `rows`, D], numpy or torch."""
        ...


def as_sources(sources: RowSource | Sequence[RowSource], width: int) -> list[RowSource]:
    """One source or many as a list, none of it read.

    Raises:
        InputError: If one is no matrix, or not of the `width` of the queries.
    """
    listed: list[Any] = list(sources) if isinstance(sources, list | tuple) else [sources]
    for number, source in enumerate(listed):
        shape = getattr(source, "shape", None)
        if shape is None or len(shape) != 2:
            found = type(source).__name__ if shape is None else f"of shape {tuple(shape)}"
            raise InputError(
                f"distractors[{number}] is {found}; wanted is a matrix [images, dimensions]",
                "Give an array, an h5py.Dataset, or a list of them.",
            )
        if shape[1] != width:
            raise InputError(
                f"queries have {width} dimensions, distractors[{number}] {shape[1]}",
                "Extract all of them with one model and pooling.",
            )
    return listed


def read_rows(source: RowSource, start: int, stop: int, name: str) -> Tensor | None:
    """Rows from `start` to `stop` as checked floats on the CPU or where they are; None if none."""
    rows = source[start:stop]
    return as_features(rows, name) if len(rows) else None


def check_one_model(sources: dict[str, object]) -> None:
    """Compares what feature files of the suite say of their origin; others say nothing.

    Raises:
        InputError: If two were made by different models, weights or preprocessing.
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


def spans(sources: Sequence[RowSource], rows: int) -> list[tuple[int, int, int]]:
    """Blocks of all sources as (source, first row, row after the last)."""
    return [
        (number, start, min(start + rows, source.shape[0]))
        for number, source in enumerate(sources)
        for start in range(0, source.shape[0], rows)
    ]
