"""Reads pickles of plain containers, and nothing that could run code."""

import pickle
from pathlib import Path
from typing import Any, NoReturn

from lowlabel.errors import DataError

_BROKEN = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)


def read_plain_pickle(path: Path) -> Any:
    """Reads dicts, lists, tuples, sets, strings, bytes, numbers and None.

    A pickle is a program that may call any function it names; here it can name none.

    Raises:
        DataError: If the file is missing or damaged, or names a class or a function.
    """
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file, path).load()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except _BROKEN as error:
        raise DataError(
            f"{path} is no whole pickle: {error}", "Fetch it again from its origin."
        ) from error


class _PlainUnpickler(pickle.Unpickler):
    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module: str, name: str, /) -> NoReturn:
        """Refuses every class and function."""
        raise DataError(
            f"{self._path} is not safe to read: it names {module}.{name}, and only plain lists, "
            "dicts, strings and numbers belong in it",
            "Nothing was run. Take the file from its origin.",
        )
