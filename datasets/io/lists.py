"""Reads the text lists that come with datasets."""

from collections.abc import Sequence
from pathlib import Path

from lowlabel.errors import DataError
from lowlabel.reading import require_no_stream


def read_lines(path: Path, hint: str = "") -> list[str]:
    """Reads the lines of a list that are not empty, with or without a byte-order mark or CRLF.

    Args:
        path: The list, in UTF-8.
        hint: How to get another one.

    Raises:
        DataError: If the file is missing or is no text.
    """
    require_no_stream(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"cannot read the list {path}: {error.strerror or error}", hint) from error
    except UnicodeDecodeError as error:
        raise DataError(f"the list {path} is not UTF-8 text: {error}", hint) from error
    return [line for line in lines if line.strip()]


def nested(root: Path, name: str) -> str:
    """The path of `root/name`, or of the folder of the same name that it holds, as `name/name`."""
    path, last = name, name.rpartition("/")[2]
    while (root / path / last).is_dir():
        path = f"{path}/{last}"
    return path


def clean_path(line: str) -> str:
    """A path of a list as datasets write it: with slashes, and without `./` before it."""
    return line.strip().replace("\\", "/").removeprefix("./")


def first_few(names: Sequence[str], most: int = 3) -> str:
    """The first names, and … if there are more, for messages."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
