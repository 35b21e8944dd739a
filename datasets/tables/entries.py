"""The images of a table, checked row by row; every error names the lines."""

import math
import posixpath
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from lowlabel.datasets.images import Box, LabelledPath
from lowlabel.datasets.io.listing import files_in
from lowlabel.datasets.parts import KNOWN_DIVISIONS, part_called
from lowlabel.datasets.tables.labels import SEPARATOR, joined
from lowlabel.datasets.tables.rows import BOX, LABELS, Table, read_table
from lowlabel.errors import DataError
from lowlabel.reading import reading

PATH, LABEL, SPLIT, GROUP = "path", "label", "split", "group"
EDGES = ("left", "top", "right", "bottom")
COLUMNS = (PATH, LABEL, LABELS, SPLIT, GROUP, BOX, *EDGES)
_WITHOUT_LABELS = (PATH, BOX, *EDGES)
_MOST_SHOWN = 8


@dataclass(frozen=True)
class Entries:
    """The images of a table.

    Attributes:
        images: By split, as the table spells it; of a table without splits by "".
        unread: Names of the columns that are not used.
        left_out: Number of files that are not taken, by suffix.
        several: Whether images have several labels, which stand joined in place of a class.
    """

    images: dict[str, list[LabelledPath]]
    unread: tuple[str, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    several: bool = False


def read_entries(path: Path, *, labelled: bool = True) -> Entries:
    """Reads a table of images and checks every row.

    Args:
        path: The table.
        labelled: Whether rows have labels; if not, paths and boxes are all that is read.

    Raises:
        DataError: If the file cannot be read, or rows name no file in its folder, a file twice,
            no label, an unknown split or a box without an area: the first of them by their lines.
    """
    if path.is_dir():
        raise DataError(
            f"{path} is a folder, not a table of images",
            f"Write folder:{path}, or name a table in it: csv:FILE.",
        )
    if not path.is_file():
        raise DataError(
            f"there is no file {path}", "Name a table as csv:FILE, for example csv:./birds.csv."
        )
    with reading(path):
        status = path.stat()
    return _read_entries(path, status.st_mtime_ns, status.st_size, labelled)


@lru_cache(maxsize=4)
def _read_entries(path: Path, changed: int, size: int, labelled: bool) -> Entries:
    """Reads a table, once in each of its states."""
    required, known = ((PATH, LABEL), COLUMNS) if labelled else ((PATH,), _WITHOUT_LABELS)
    table = read_table(path, required, known, {LABEL: LABELS})
    several = labelled and LABELS in table.columns
    if several and LABEL in table.columns:
        raise DataError(
            f"{path} has the columns {LABEL} and {LABELS}",
            f"Keep {LABEL}, with one label for each image, or {LABELS}, with several, as cat|dog.",
        )
    edges = [name for name in EDGES if name in table.columns]
    if edges and (len(edges) < len(EDGES) or BOX in table.columns):
        raise DataError(
            f"{path} has the columns {', '.join(edges + [BOX] * (BOX in table.columns))}",
            f"Write boxes as the four columns {', '.join(EDGES)}, or as one column box with "
            '"left,top,right,bottom".',
        )
    checked = _Checked(table, path.parent, known)
    images = defaultdict(list)
    for split, image in checked.images():
        images[split].append(image)
    checked.refuse()
    if several:
        _refuse_other_separators(table)
    for listed in images.values():
        listed.sort(key=lambda image: image.path)
    return Entries(dict(images), table.unread, several=several)


def _refuse_other_separators(table: Table) -> None:
    """Raises a `DataError` if labels hold commas or semicolons, and none the separator."""
    place = table.columns.index(LABELS)
    texts = [row[place] for row in table.rows]
    if any(SEPARATOR in text for text in texts):
        return
    for line, text in zip(table.lines, texts, strict=True):
        if "," in text or ";" in text:
            raise DataError(
                f"{table.unit} {line} of {table.path} has the labels {text!r}, and none of its "
                f"rows has {SEPARATOR}, which stands between several labels",
                f"Write them as cat{SEPARATOR}dog. If it is one label, call the column {LABEL}.",
            )


@dataclass
class _Checked:
    """Rows that are checked one after the other; what is wrong with them is kept."""

    table: Table
    root: Path
    known: Collection[str]
    _wrong: list[str] = field(default_factory=list)
    _count: int = 0
    _line: int = 0

    def images(self) -> Iterator[tuple[str, LabelledPath]]:
        """Yields the split and the image of each row."""
        seen: dict[str, int] = {}
        files: dict[str, frozenset[str]] = {}
        for line, row in zip(self.table.lines, self.table.rows, strict=True):
            self._line = line
            named = zip(self.table.columns, row, strict=True)
            values = {name: value for name, value in named if name in self.known}
            path = self._path(values[PATH], files)
            if path in seen:
                self._say(f"{path} is named by {self.table.unit} {seen[path]} too")
            seen[path] = line
            label = joined(values[LABELS]) if LABELS in values else values.get(LABEL, "")
            if not label and {LABEL, LABELS} & values.keys():
                self._say(f"{'a' if LABELS in values else 'the'} label of {path} is empty")
            split = self._split(values[SPLIT]) if SPLIT in values else ""
            image = LabelledPath(path, label, self._box(values), values.get(GROUP, ""))
            yield split, image

    def refuse(self) -> None:
        """Raises a `DataError` if a row is wrong."""
        if not self._count:
            return
        shown = "".join(f"\n  {each}" for each in self._wrong)
        more = self._count - len(self._wrong)
        raise DataError(
            f"{self.table.path} has rows that cannot be used:{shown}"
            + (f"\n  … and {more:,} more" if more else ""),
            f"Fix or remove them. Paths are relative to {self.root.absolute()}",
        )

    def _say(self, what: str) -> None:
        self._count += 1
        if len(self._wrong) < _MOST_SHOWN:
            self._wrong.append(f"{self.table.unit} {self._line}: {what}")

    def _path(self, text: str, files: dict[str, frozenset[str]]) -> str:
        """A path in its shortest form; `files` has the names in the folders seen so far."""
        path = posixpath.normpath(text)
        if not text:
            self._say("the path is empty")
        elif path.startswith("/") or re.match(r"[A-Za-z]:[\\/]", path):
            self._say(f"{text} is no path relative to the folder of the table")
        elif path.split("/")[0] == "..":
            self._say(f"{text} leads out of the folder of the table")
        else:
            folder, name = posixpath.split(path)
            if folder not in files:
                files[folder] = files_in(self.root / folder)
            if name not in files[folder]:
                slashes = "; write paths with /" if "\\" in name else ""
                self._say(f"there is no file {path}{slashes}")
        return path

    def _split(self, text: str) -> str:
        if part_called(text) is None:
            what = f"the split {text!r} is no name of a part" if text else "the split is empty"
            self._say(f"{what}; known are {KNOWN_DIVISIONS}")
        return text

    def _box(self, values: dict[str, str]) -> Box | None:
        """The box of a row; None for the whole image."""
        if BOX in values:
            texts = re.split(r"[,;\s]+", values[BOX].strip("()[]")) if values[BOX] else [""] * 4
        else:
            texts = [values.get(edge, "") for edge in EDGES]
        if not any(texts):
            return None
        box = tuple(map(_number, texts))
        if len(box) != len(EDGES) or not all(map(math.isfinite, box)):
            self._say(f"the box {','.join(texts)} is not four numbers left,top,right,bottom")
            return None
        left, top, right, bottom = box
        if right <= left or bottom <= top:
            self._say(f"the box {','.join(texts)} has no area: it is left,top,right,bottom")
        return left, top, right, bottom


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
