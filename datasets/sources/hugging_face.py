"""`hf:FOLDER`: parquet files of images as Hugging Face's datasets writes them, read in place."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from lowlabel.datasets.base import Dataset
from lowlabel.datasets.io.listing import is_hidden
from lowlabel.datasets.io.lists import first_few
from lowlabel.datasets.io.parquet import class_names, parquet_file, read_column
from lowlabel.datasets.sources.parquet_rows import PARQUET, image_column
from lowlabel.datasets.tables.dataset import listed_dataset
from lowlabel.datasets.tables.listed import Label, listed_entries
from lowlabel.datasets.tables.rows import as_text
from lowlabel.errors import DataError

_SHARD = re.compile(
    r"(.+?)[-_](\d{4,})(?:-of-(\d+))?(?:-[0-9a-f]+)?"
)  # train-00000-of-00002-ab12cd34
_LABELS = ("label", "labels")
_MOST_SHOWN = 3
_MOST_SHARDS = 100_000
_BELOW = ("data", "default")  # folders that name no split


def hugging_face_dataset(place: Path) -> Dataset:
    """Declares a folder of parquet files as a dataset.

    Files are the splits that their names begin with (`train-00000-of-00002.parquet`,
    `test.parquet`), or their folders (`train/0000.parquet`), by the usual names of parts. One
    split alone is evaluated. Labels are the column `label` or `labels`, or the one that
    `FOLDER,label=COLUMN` names; of a column of lists an image has several.

    Raises:
        DataError: If there are no such files, they cannot be read, a label is missing, or the
            splits are no division.
    """
    folder, _, label = str(place).partition(",label=")
    path = Path(folder)
    files = _files(path)
    if len(files) == 1:
        files = {"": next(iter(files.values()))}
    images = {
        split: [image for file in listed for image in _images(path, file, label)]
        for split, listed in files.items()
    }
    entries = listed_entries(images, path)
    return listed_dataset("hf", path.resolve().name, place, path, entries)


def _files(path: Path) -> dict[str, list[Path]]:
    """The files of each split."""
    if not path.is_dir():
        raise _no_folder(path)
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for file in sorted(path.rglob(f"*{PARQUET}")):
        inside = file.relative_to(path).parts
        if file.is_file() and not any(map(is_hidden, inside)):
            found[_split_of(inside)].append(file)
    if not found:
        arrow = next(path.rglob("*.arrow"), None)
        raise DataError(
            f"{path} holds no parquet files" + (f", but {arrow.name}" if arrow else ""),
            "Save each split as parquet: datasets.load_from_disk(FOLDER)['train'].to_parquet("
            "'train.parquet')"
            if arrow
            else "Download a dataset's parquet files: huggingface-cli download --repo-type dataset "
            "OWNER/NAME --local-dir FOLDER",
        )
    for split, files in found.items():
        if len(folders := sorted({str(file.parent) for file in files})) > 1:
            raise DataError(
                f"the split {split} of {path} lies in several folders: {', '.join(folders)}",
                f"Name the folder of one configuration: hf:{folders[0]}",
            )
        _check_shards(path, split, files)
    return dict(found)


def _no_folder(path: Path) -> DataError:
    text = path.as_posix()
    if "," in text:
        fix = "The one option is the column of labels: hf:FOLDER,label=COLUMN"
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", text):
        fix = (
            "A dataset of the Hub is downloaded first: huggingface-cli download --repo-type "
            f"dataset {text} --local-dir FOLDER, then --dataset hf:FOLDER"
        )
    else:
        fix = "Name a folder of parquet files: hf:FOLDER."
    return DataError(f"there is no folder {path}", fix)


def _check_shards(path: Path, split: str, files: list[Path]) -> None:
    """Raises a `DataError` if files called N-of-M lack one of M, or are of two exports."""
    shards = [_SHARD.fullmatch(file.name.removesuffix(PARQUET)) for file in files]
    numbers = Counter(int(shard[2]) for shard in shards if shard and shard[3])
    if not numbers:
        return
    counts = sorted({shard[3] if shard and shard[3] else "" for shard in shards})
    if len(counts) > 1 or max(numbers.values()) > 1:
        raise DataError(
            f"the split {split} of {path} has files of several exports: "
            f"{first_few([file.name for file in files], _MOST_SHOWN)}",
            "Keep the files of one of them, or its images would count twice.",
        )
    total = int(counts[0])
    first = int(total in numbers)  # some count from 1
    missing = [n for n in range(first, first + min(total, _MOST_SHARDS)) if n not in numbers]
    if missing or total != len(files):
        raise DataError(
            f"the split {split} of {path} has {len(files):,} of {total:,} files; missing are "
            f"{first_few([f'{n:05d}-of-{counts[0]}' for n in missing], _MOST_SHOWN)}",
            f"Download the others. To score these alone, call them {split}-00000{PARQUET}, …",
        )


def _split_of(inside: tuple[str, ...]) -> str:
    stem = inside[-1].removesuffix(PARQUET)
    if shard := _SHARD.fullmatch(stem):
        return shard[1]
    folders = [name for name in inside[:-1] if name not in _BELOW]
    return folders[-1] if stem.isdigit() and folders else stem


def _images(root: Path, file: Path, label: str) -> Iterator[tuple[str, Label]]:
    status = file.stat()
    inside = file.relative_to(root).as_posix()
    for row, name in enumerate(_labels(file, label, status.st_mtime_ns, status.st_size)):
        yield f"{inside}/{row:06d}", name


@lru_cache(maxsize=4096)
def _labels(path: Path, label: str, changed: int, size: int) -> tuple[Label, ...]:
    """The label of each row of a file in one of its states."""
    with parquet_file(path) as file:
        schema = file.schema_arrow
        column = _label_column(path, schema.names, label)
        image_column(path, schema)
        values = read_column(path, file, column, lists=True)
        names = _told_apart(class_names(schema.metadata or {}, column))
        labels = [_label_of(value, names) for value in values]
    if not values:
        raise DataError(f"{path} has no rows", "Move the file out of the folder, or get it again.")
    missing = [row for row, text in enumerate(labels) if text in ("", ())]
    if missing:
        raise DataError(
            f"{len(missing):,} of the {len(values):,} rows of {path} have no label in the column "
            f"{column}, the first is row {missing[0]}",
            "Move the file out of the folder, or name another column: hf:FOLDER,label=COLUMN",
        )
    if unknown := [value for value, text in zip(values, labels, strict=True) if text is None]:
        raise DataError(
            f"{path} has the label {unknown[0]!r}, but names {len(names):,} classes",
            "Get the file again.",
        )
    return tuple(filter(None, labels))


def _told_apart(names: list[str]) -> list[str]:
    """Names of classes; those of one name get their numbers, so that they stay two classes."""
    times = Counter(names)
    return [f"{name} ({n})" if times[name] > 1 else name for n, name in enumerate(names)]


def _label_of(value: Any, names: list[str]) -> Label | None:
    """As `_class_of`; of a list its classes, empty if one is missing, None if one is unknown."""
    if not isinstance(value, list):
        return _class_of(value, names)
    found = [_class_of(each, names) for each in value]
    if None in found:
        return None
    return () if "" in found else tuple(filter(None, found))


def _class_of(value: Any, names: list[str]) -> str | None:
    """The class of a label; empty if it is missing, None if it numbers none of the names."""
    if value == -1 or not (text := as_text(value)):
        return ""
    if not names:
        return text
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else None


def _label_column(path: Path, columns: list[str], label: str) -> str:
    wanted = (label,) if label else _LABELS
    found = next((name for name in wanted if name in columns), None)
    if found is None:
        raise DataError(
            f"{path} has no column {' or '.join(wanted)}; it has: {', '.join(columns)}",
            "Name the column of labels: hf:FOLDER,label=COLUMN",
        )
    return found
