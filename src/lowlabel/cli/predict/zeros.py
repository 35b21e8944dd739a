"""Embeddings that are all zero, which point to no class."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from lowlabel.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lowlabel.cli.predict.given import Given

_HINT = "Check these images and the model that produced the embeddings."


def refuse_zero_labelled(
    features: "NDArray[np.float32]", column: str, names: Sequence[str | int]
) -> None:
    """Raises a `DataError` that names the labelled embeddings which are all zero.

    Args:
        features: Embeddings to learn from, [N, D].
        column: What `names` are: "path" or "row".
        names: One for each.
    """
    zero = _are_zero(features)
    if zero.any():
        raise DataError(
            f"{int(zero.sum()):,} of {len(zero):,} labelled embeddings are all zero and have no "
            f"direction: {_shown(zero, column, names)}",
            f"{_HINT} Leave them out of the labelled ones.",
        )


def can_be_labelled(given: "Given") -> "NDArray[np.bool_]":
    """Whether each new embedding can be labelled; says which cannot, and if all are equal.

    Raises:
        DataError: If all are zero.
    """
    zero = _are_zero(given.new)
    if zero.all():
        raise DataError(
            f"all {len(zero):,} embeddings to label are zero and have no direction", _HINT
        )
    if zero.any():
        typer.echo(
            f"without a label: {int(zero.sum()):,} of {len(zero):,} embeddings to label are all "
            f"zero and have no direction: {_shown(zero, given.column, given.names)}",
            err=True,
        )
    elif len(zero) > 1 and _equal(given.new):
        typer.echo(
            f"all {len(zero):,} embeddings to label are equal, so they get one label; check the "
            "model that produced them",
            err=True,
        )
    return ~zero


def _are_zero(rows: "NDArray[np.float32]") -> "NDArray[np.bool_]":
    """Whether each row is all zero."""
    import numpy as np

    return np.logical_not(rows.any(axis=1)).reshape(len(rows))


def _equal(rows: "NDArray[np.float32]") -> bool:
    """Whether all rows are equal; most tables are told by their last one."""
    return bool((rows[-1] == rows[0]).all() and (rows == rows[0]).all())


def _shown(zero: "NDArray[np.bool_]", column: str, names: Sequence[str | int]) -> str:
    from lowlabel.datasets.io.lists import first_few

    named = [str(name) for name, each in zip(names, zero, strict=True) if each]
    return f"{column} {first_few(named)}"
