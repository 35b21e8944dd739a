"""Rows of images by what a ranking calls them."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.io.lists import first_few
from lowlabel.errors import DataError
from lowlabel.features.rankings.ranking import END

_AMBIGUOUS = -2
_MOST_SHOWN = 3
_MOST_DIGITS = 18  # of a number that int64 holds


class ImageNames:
    """Finds images by their path in the dataset, or by their file name with or without suffix.

    Args:
        paths: Path of each image, by row.
        what: What they are, in messages: "cub:dml-zeroshot test".
    """

    def __init__(self, paths: Sequence[str], what: str) -> None:
        self._what, self._paths = what, paths
        files = [PurePosixPath(path) for path in paths]
        self._row: dict[str, int] = {}
        for names in ([file.stem for file in files], [file.name for file in files], paths):
            self._row |= _unambiguous(names)

    def rows(self, ids: NDArray[Any], where: str) -> NDArray[np.int64]:
        """The row of each image, by its row or one of its names, with `END` for -1 or "".

        Texts are rows if all of them are digits and none is a name. Digits that may be both, and
        would be other images as rows, are refused.

        Args:
            ids: Integers or texts, any shape.
            where: Where they stand, in messages: "ranking of lists.npz".

        Raises:
            DataError: If there is no such image, a name is that of several, or digits may be rows
                and names.
        """
        if ids.dtype.kind in "iu":
            return self._checked(ids.astype(np.int64), where)
        texts, inverse = np.unique(_as_texts(ids), return_inverse=True)
        named = [str(text) for text in texts if text]
        if all(text.isdecimal() for text in named):
            numbers = np.array([_row_of(text) for text in texts.tolist()], np.int64)
            if not any(text in self._row for text in named):
                return self._checked(numbers, where)[inverse].reshape(ids.shape)
            self._refuse_both(named, where)
        unknown = [text for text in named if text not in self._row]
        if unknown:
            raise DataError(
                f"{where} names {len(unknown):,} images that {self._what} does not have: "
                f"{first_few(unknown, _MOST_SHOWN)}",
                f"Its images are called {first_few(self._paths, _MOST_SHOWN)}; write these paths, "
                f"file names, or rows from 0 to {len(self._paths) - 1:,}.",
            )
        several = [text for text in named if self._row[text] == _AMBIGUOUS]
        if several:
            raise DataError(
                f"{where} names {len(several):,} images by names that several images of "
                f"{self._what} have: {first_few(several, _MOST_SHOWN)}",
                f"Write paths, such as {first_few(self._paths, 1)}.",
            )
        found = np.array([self._row[text] if text else END for text in texts.tolist()], np.int64)
        return found[inverse].reshape(ids.shape)

    def _refuse_both(self, named: list[str], where: str) -> None:
        """Raises a `DataError` if digits, some of which are names, may all be rows as well."""
        rows = {text: _row_of(text) for text in named}
        other = [text for text, row in rows.items() if self._row.get(text) != row]
        if other and all(row < len(self._paths) for row in rows.values()):
            name = next(text for text in named if text in self._row)
            raise DataError(
                f"{where} has numbers that may be rows or file names of {self._what}: {name} is "
                "the file name of an image without its suffix",
                f"Write paths, such as {first_few(self._paths, 1)}, or integers in .npz or .h5, "
                "which are rows.",
            )

    def _checked(self, rows: NDArray[np.int64], where: str) -> NDArray[np.int64]:
        outside = rows[(rows != END) & ((rows < 0) | (rows >= len(self._paths)))]
        if len(outside):
            raise DataError(
                f"{where} has {len(outside):,} rows that {self._what} does not have, such as "
                f"{outside[0]}: it has {len(self._paths):,} images, from row 0 on",
                "Number the images in the order of the dataset, or name them.",
            )
        return rows


def _row_of(text: str) -> int:
    """The row that digits name, `END` for none; numbers too long for int64 are beyond all rows."""
    if not text:
        return END
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _unambiguous(names: Iterable[str]) -> dict[str, int]:
    """The row of each name, or `_AMBIGUOUS` where several images have it."""
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        rows[name] = _AMBIGUOUS if name in rows else row
    return rows


def _as_texts(ids: NDArray[Any]) -> NDArray[np.str_]:
    flat = (
        each.decode(errors="backslashreplace") if isinstance(each, bytes) else str(each)
        for each in ids.ravel().tolist()
    )
    return np.array([*flat], dtype=np.str_)
