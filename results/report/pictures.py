"""Pictures that a run saved beside its records, for the report."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lowlabel.errors import DataError

_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml"}
_FOLDERS = ("galleries", "figures", "")


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        name: Its file's name, without the suffix.
        group: The folder that it lies in, under the results folder: "galleries".
        path: The file.
    """

    name: str
    group: str
    path: Path

    def facts(self) -> dict[str, str]:
        """Name, group and the picture itself as a data URI.

        Raises:
            DataError: If the file cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {self.path}: {error.strerror or error}") from error
        coded = base64.b64encode(content).decode()
        uri = f"data:{_TYPES[self.path.suffix.lower()]};base64,{coded}"
        return {"name": self.name, "group": self.group, "uri": uri}


def find_pictures(folder: Path) -> list[Picture]:
    """The pictures of a results folder: of `galleries`, of `figures`, and beside the tables.

    Of one picture in several formats the PNG is taken.
    """
    return [picture for group in _FOLDERS for picture in _pictures(folder / group, group)]


def _pictures(folder: Path, group: str) -> Iterator[Picture]:
    kinds = list(_TYPES)
    files = folder.iterdir() if folder.is_dir() else ()
    found = [path for path in files if path.suffix.lower() in _TYPES and path.is_file()]
    by_name: dict[str, Path] = {}
    for path in sorted(found, key=lambda path: (path.stem, kinds.index(path.suffix.lower()))):
        by_name.setdefault(path.stem, path)
    yield from (Picture(name, group, path) for name, path in by_name.items())
