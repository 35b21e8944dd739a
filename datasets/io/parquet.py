"""Reads parquet files of encoded images and labels, as Hugging Face's datasets writes them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from lowlabel.errors import DataError
from lowlabel.reading import reading, require_room

_BATCH = 256
_BUFFER = 1 << 14  # bytes; without one, pyarrow copies whole columns once more
_AGAIN = "Get the file again, or write it again: it may have been cut off."
_OF_A_VALUE = 64  # bytes of a Python object in a list


class Row(NamedTuple):
    """One image.

    Attributes:
        content: Bytes of a PNG or JPEG file.
        name: Name of that file; empty if it has none.
        label: Its label.
    """

    content: bytes
    name: str
    label: object


@dataclass(frozen=True)
class ParquetImages:
    """A parquet file of images.

    Attributes:
        path: The file.
        images: Number of images.
        class_names: Names of the labels 0, 1, …; empty if the file names none.
    """

    path: Path
    images: int
    class_names: list[str]
    _file: Any
    _columns: tuple[str, str]
    _refetch: str

    def rows(self) -> Iterator[Row]:
        """Reads the images in the order of the file; a `DataError` if it is damaged."""
        image_column, label_column = self._columns
        with _reading(self.path, self._refetch):
            for batch in self._file.iter_batches(batch_size=_BATCH, columns=list(self._columns)):
                for row in batch.to_pylist():
                    value = row[image_column]
                    image = value if isinstance(value, dict) else {"bytes": value}
                    if not isinstance(image["bytes"], bytes):
                        raise ValueError(f"the column {image_column} has a row without an image")
                    name = PurePosixPath(image.get("path") or "").name
                    yield Row(image["bytes"], name, row[label_column])


@contextmanager
def open_parquet(
    paths: Sequence[Path],
    image: Sequence[str] = ("image",),
    label: Sequence[str] = ("label",),
    refetch: str = "",
) -> Iterator[list[ParquetImages]]:
    """Opens parquet files.

    Args:
        paths: The files.
        image: Names that the column of images may have; the first that is there is taken.
        label: Names that the column of labels may have.
        refetch: How to get other files.

    Raises:
        DataError: If pyarrow is missing, a file is damaged (also while rows are read), or a column
            is missing.
    """
    with ExitStack() as files:
        opened = []
        for path in paths:
            file = files.enter_context(parquet_file(path, refetch))
            with _reading(path, refetch):
                opened.append(_opened(path, file, image, label, refetch))
        yield opened


@contextmanager
def parquet_file(path: Path, refetch: str = "") -> Iterator[Any]:
    """Opens a parquet file; a `DataError` if pyarrow is missing or the file is damaged."""
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise DataError(
            f"{path} is a parquet file, and pyarrow, which reads it, is not installed",
            "pip install 'lowlabel[parquet]'",
        ) from error
    with (
        _reading(path, refetch or _AGAIN),
        ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file,
    ):
        yield file


def read_column(path: Path, file: Any, name: str, *, lists: bool = False) -> list[Any]:
    """Reads a column of numbers or texts.

    A few bytes can stand for millions of equal rows, so the room for them is checked first.

    Args:
        path: The file.
        file: It, from `parquet_file`.
        name: The column.
        lists: Whether rows may be lists.

    Raises:
        DataError: If the column holds anything else, or has far more rows than the file has bytes.
    """
    import pyarrow as pa

    kind = file.schema_arrow.field(name).type
    are_lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    is_list = any(each(kind) for each in are_lists) and not pa.types.is_nested(kind.value_type)
    if pa.types.is_nested(kind) and not (lists and is_list):
        raise DataError(
            f"the column {name} of {path} holds {kind}, not numbers or texts",
            "Save it as a column of integers or of texts.",
        )
    needed = _OF_A_VALUE * (
        file.metadata.num_rows + (_elements(file.metadata, name) if is_list else 0)
    )
    require_room(f"the column {name} of {path}", needed, path.stat().st_size)
    values: list[Any] = file.read(columns=[name]).column(0).to_pylist()
    return values


def _elements(metadata: Any, name: str) -> int:
    """Number of the elements of a column of lists."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    return sum(each.num_values for each in columns if each.path_in_schema.startswith(f"{name}."))


def _reading(path: Path, refetch: str) -> AbstractContextManager[None]:
    from pyarrow import ArrowException

    return reading(path, f"{path} cannot be read", refetch, (ArrowException,))


def _opened(
    path: Path, file: Any, image: Sequence[str], label: Sequence[str], refetch: str
) -> ParquetImages:
    there = file.schema_arrow.names
    found = [next((name for name in names if name in there), "") for names in (image, label)]
    if not all(found):
        raise DataError(
            f"{path} has the columns {', '.join(there)}, not {' or '.join(image)} and "
            f"{' or '.join(label)}",
            refetch,
        )
    names = class_names(file.schema_arrow.metadata or {}, found[1])
    return ParquetImages(path, file.metadata.num_rows, names, file, (found[0], found[1]), refetch)


def class_names(metadata: Mapping[bytes, bytes], label: str) -> list[str]:
    """Names of the labels 0, 1, … that Hugging Face's metadata give; empty if they give none.

    Of a column of lists they are those of its elements: a "Sequence" or "List" with a "feature", or
    a list of one in older files.
    """
    try:
        feature = json.loads(metadata[b"huggingface"])["info"]["features"][label]
        feature = feature[0] if isinstance(feature, list) else feature.get("feature", feature)
        return [str(name) for name in feature["names"]]
    except (AttributeError, LookupError, TypeError, ValueError):
        return []
