"""Reads a table of texts: CSV with any usual delimiter, or parquet."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lowlabel.datasets.io.parquet import parquet_file, read_column
from lowlabel.datasets.tables.labels import SEPARATOR, check_lists
from lowlabel.errors import DataError, number_of
from lowlabel.reading import reading, require_room

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
_PARQUET = b"PAR1"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
BOX, LABELS = "box", "labels"  # columns that parquet may hold as lists
_AS_TEXT = "Save it as CSV in UTF-8 (in a spreadsheet: CSV UTF-8), or as parquet."


@dataclass(frozen=True)
class Table:
    """The rows of a table.

    Attributes:
        path: The file.
        columns: Names of the columns of `rows`, in lower case.
        rows: Values of each row, without spaces around them; empty for a missing one.
        lines: Where each row stands: its line in a text, its number in parquet; both from 1.
        unread: Names of the columns that are not used.
        unit: What `lines` counts: "line" or "row".
    """

    path: Path
    columns: tuple[str, ...]
    rows: list[list[str]]
    lines: Sequence[int]
    unread: tuple[str, ...]
    unit: str = "line"


def read_table(
    path: Path,
    required: Sequence[str],
    known: Sequence[str],
    instead: Mapping[str, str] = MappingProxyType({}),
) -> Table:
    """Reads a table.

    Args:
        path: The file; its content says whether it is text or parquet.
        required: Names of the columns that must be there, by which a delimiter is recognised.
        known: Names of all columns that are used.
        instead: Columns that may stand in place of required ones.

    Raises:
        DataError: If the file is missing, damaged, no text in UTF-8, or lacks a column or a value.
    """
    with reading(path):
        with path.open("rb") as file:
            first = file.read(len(_PARQUET))
        if not first:
            raise DataError(f"{path} is empty", "Write it again, or give another file.")
        is_parquet = first == _PARQUET
        table = (
            _from_parquet(path, required, known, instead)
            if is_parquet
            else _from_text(path, path.read_bytes(), required, known, instead)
        )
    if not table.rows:
        raise DataError(f"{path} names no image: it has a header alone", "Add a row per image.")
    return table


def _needed(
    columns: Sequence[str], required: Sequence[str], instead: Mapping[str, str]
) -> tuple[str, ...]:
    """The required columns, or those that stand in place of them."""
    return tuple(i if (i := instead.get(name, "")) in columns else name for name in required)


def _from_text(
    path: Path,
    data: bytes,
    required: Sequence[str],
    known: Sequence[str],
    instead: Mapping[str, str],
) -> Table:
    text = _decoded(path, data)
    first = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    headers = {each: _names(next(csv.reader([first], delimiter=each), [])) for each in DELIMITERS}
    fitting = [
        each for each, names in headers.items() if {*_needed(names, required, instead)} <= {*names}
    ]
    delimiter = (fitting or sorted(headers, key=lambda each: -len(headers[each])))[0]
    columns = headers[delimiter]
    check_columns(path, columns, _needed(columns, required, instead), known)
    _, *listed = _split(path, text, delimiter, len(columns))
    rows, lines = [row for _, row in listed], [line for line, _ in listed]
    return Table(path, columns, rows, lines, _unread(columns, known))


def _split(path: Path, text: str, delimiter: str, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Yields each row that is not empty with the line that it begins in."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    end = 0
    try:
        for row in reader:
            line, end = end + 1, reader.line_num
            if not any(map(str.strip, row)):
                continue
            if len(row) != columns:
                raise DataError(
                    f"line {line} of {path} has {number_of(len(row), 'values')}, the header has "
                    f"{number_of(columns, 'columns')}, with a {DELIMITERS[delimiter]} between them",
                    f"Put values that hold a {DELIMITERS[delimiter]} in double quotes.",
                )
            yield line, [value.strip() for value in row]
    except csv.Error as error:
        raise DataError(
            f"{path} is no CSV file from line {end + 1} on: {error}",
            "Close the double quotes of each value, and double those inside it.",
        ) from error


def _unread(columns: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Columns that are not used, but for the index that pandas adds."""
    return tuple(c for c in columns if c and c not in known and not c.startswith("__"))


def _decoded(path: Path, data: bytes) -> str:
    if data.startswith(_UTF_16):
        raise DataError(f"{path} is text in UTF-16, not in UTF-8", _AS_TEXT)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"line {line} of {path} is no text in UTF-8: it holds the byte "
            f"{data[error.start]:#04x}",
            _AS_TEXT,
        ) from error


def _names(header: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip().casefold() for name in header)


def check_columns(
    path: Path, columns: Sequence[str], required: Sequence[str], known: Sequence[str]
) -> None:
    """Raises a `DataError` if a required column is missing, or one stands twice."""
    if missing := [name for name in required if name not in columns]:
        others = [name for name in known if name not in required]
        raise DataError(
            f"{path} has no column {' and no column '.join(missing)}; its first line has: "
            f"{', '.join(columns) or 'nothing'}",
            f"Name the columns in the first line: {','.join(required)}"
            + (f" (and {', '.join(others)})." if others else "."),
        )
    if twice := sorted(name for name, times in Counter(columns).items() if name and times > 1):
        raise DataError(f"{path} has the column {twice[0]} twice", "Keep one of them.")


def _from_parquet(
    path: Path, required: Sequence[str], known: Sequence[str], instead: Mapping[str, str]
) -> Table:
    with parquet_file(path) as file:
        names = [str(name) for name in file.schema_arrow.names]
        columns = _names(names)
        check_columns(path, columns, _needed(columns, required, instead), known)
        wanted = {c: name for name, c in zip(names, columns, strict=True) if c in known}
        groups = (file.metadata.row_group(n) for n in range(file.metadata.num_row_groups))
        needed = sum(group.total_byte_size for group in groups)
        require_room(f"the table {path}", needed, path.stat().st_size)
        read = [read_column(path, file, wanted[c], lists=c in (BOX, LABELS)) for c in wanted]
    if LABELS in wanted:
        place = [*wanted].index(LABELS)
        read[place] = _joined(read[place], path)
    rows = [[as_text(value) for value in row] for row in zip(*read, strict=True)]
    return Table(path, tuple(wanted), rows, range(1, len(rows) + 1), _unread(columns, known), "row")


def _joined(values: list[Any], path: Path) -> list[Any]:
    """Lists of labels as CSV has them; other values as they are."""
    lists = {row: [*map(as_text, of)] for row, of in enumerate(values) if isinstance(of, list)}
    check_lists([*lists.values()], path)
    return [SEPARATOR.join(lists[n]) if n in lists else of for n, of in enumerate(values)]


def as_text(value: Any) -> str:
    """A value as CSV has it; a list of edges as "1,2,3,4", whole numbers without a point."""
    if value is None or value != value:  # NaN, with which pandas fills what is missing
        return ""
    if isinstance(value, list | tuple):
        return ",".join(map(as_text, value))
    if isinstance(value, bytes):
        return value.decode().strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
