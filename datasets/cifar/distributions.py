"""Turns the distributions of CIFAR-10 and CIFAR-100 into image files in class folders."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from lowlabel.datasets.base import Conversion, Division
from lowlabel.datasets.folder import class_folders
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.array_files import Pixels, write_images
from lowlabel.datasets.io.lists import read_lines
from lowlabel.datasets.io.parquet import open_parquet
from lowlabel.datasets.io.pickles import read_pickle
from lowlabel.errors import DataError
from lowlabel.progress import Progress

PARTS = ("train", "test")
PARQUET = tuple(
    tuple(pattern.format(part) for part in PARTS) for pattern in ("{}*.parquet", "{}/*.parquet")
)
_SIDE, _CHANNELS = 32, 3
_VALUES = _CHANNELS * _SIDE * _SIDE


def read_folders(root: Path, part: str) -> list[LabelledPath]:
    """Lists `root/PART/**/CLASS/IMAGE`; some mirrors have super-classes above the classes."""
    images = class_folders(root, part)
    return [LabelledPath(path, PurePosixPath(path).parent.name) for path, *_ in images]


@dataclass(frozen=True)
class Cifar:
    """The files of CIFAR-10 or CIFAR-100 as their authors and mirrors hand them out.

    Attributes:
        name: Name on the command line.
        classes: Number of classes.
        python: Pickles of each part.
        meta: Pickle with the names of the classes, and the key that they have there.
        binary: Binary files of each part: for each image its labels, one byte each, and its pixels.
        names: Text file with the names of the classes, beside the binary files.
        labels: Key of the labels in the pickles; in binary files they are the last label byte.
        label_bytes: Label bytes of each image in binary files.
    """

    name: str
    classes: int
    python: Mapping[str, tuple[str, ...]]
    meta: tuple[str, str]
    binary: Mapping[str, tuple[str, ...]]
    names: str
    labels: str
    label_bytes: int

    @property
    def python_files(self) -> tuple[str, ...]:
        """Files by which the pickles are recognised."""
        return self.meta[0], *self.python["test"]

    @property
    def binary_files(self) -> tuple[str, ...]:
        """Files by which the binary files are recognised."""
        return self.names, *self.binary["test"]

    def division(self) -> Division:
        """The authors' division: 50,000 train and 10,000 test images."""
        counts = {"train": Counts(50_000, self.classes), "test": Counts(10_000, self.classes)}
        return Division("krizhevsky", PARTS, read_folders, counts, shared_classes=True)

    def conversions(self) -> tuple[Conversion, ...]:
        """The conversions of all distributions."""
        return (
            Conversion(self.python_files, self._from_pickles),
            Conversion(self.binary_files, self._from_binary),
            *(Conversion(files, self._from_parquet) for files in PARQUET),
        )

    @property
    def _refetch(self) -> str:
        return f"Fetch it again, then: lowlabel prepare {self.name} --archive FILE"

    def _from_pickles(self, origin: Path, folder: Path, progress: Progress | None) -> None:
        """Reads `data`, uint8 [N, 3072], and the labels [N]."""
        path = origin / self.meta[0]
        try:
            names = [str(name) for name in read_pickle(path)[self.meta[1]]]
        except (KeyError, TypeError) as error:
            raise DataError(
                f"{path} does not name classes as {self.meta[1]}", self._refetch
            ) from error
        for part, files in self.python.items():
            pixels, labels = [], []
            for file in files:
                data, found = self._arrays(origin / file)
                pixels.append(data)
                labels += found
            self._write(folder / part, np.concatenate(pixels), labels, names, progress)

    def _arrays(self, path: Path) -> tuple[Pixels, list[int]]:
        content = read_pickle(path)
        try:
            data = np.asarray(content["data"])
            labels = np.asarray(content[self.labels], np.int64).tolist()
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{path} does not hold data and {self.labels}: {error!r}", self._refetch
            ) from error
        if data.dtype != np.uint8 or data.shape != (len(labels), _VALUES):
            raise DataError(
                f"{path} holds data as {data.dtype} {data.shape} for {len(labels):,} labels, not "
                f"as uint8 [N, {_VALUES}]",
                self._refetch,
            )
        return data, labels

    def _from_binary(self, origin: Path, folder: Path, progress: Progress | None) -> None:
        names = [line.strip() for line in read_lines(origin / self.names, self._refetch)]
        for part, files in self.binary.items():
            rows = np.concatenate([self._rows(origin / file) for file in files])
            labels = rows[:, self.label_bytes - 1].tolist()
            self._write(folder / part, rows[:, self.label_bytes :], labels, names, progress)

    def _rows(self, path: Path) -> Pixels:
        try:
            values = np.fromfile(path, np.uint8)
        except OSError as error:
            raise DataError(
                f"cannot read {path}: {error.strerror or error}", self._refetch
            ) from error
        length = self.label_bytes + _VALUES
        if not len(values) or len(values) % length:
            raise DataError(
                f"{path} has {len(values):,} bytes, which is no multiple of {length:,}: it is cut "
                "off or another file",
                self._refetch,
            )
        return values.reshape(-1, length)

    def _from_parquet(self, origin: Path, folder: Path, progress: Progress | None) -> None:
        patterns = next(each for each in PARQUET if all(any(origin.glob(one)) for one in each))
        columns = ("img", "image"), (self.labels, "fine_label", "label")
        for part, pattern in zip(PARTS, patterns, strict=True):
            paths = sorted(origin.glob(pattern))
            with open_parquet(paths, *columns, self._refetch) as files:
                rows = [row for file in files for row in file.rows()]
            labels = [row.label for row in rows if isinstance(row.label, int)]
            numbers = [f"{label:02d}" for label in range(self.classes)]
            names = self._checked(files[0].class_names or numbers, paths[0])
            contents = (row.content for row in rows)
            write_images(folder / part, contents, labels, names, progress)

    def _write(
        self,
        folder: Path,
        data: Pixels,
        labels: list[int],
        names: list[str],
        progress: Progress | None,
    ) -> None:
        """Writes images whose values [N, 3072] are the red, the green and the blue rows."""
        images = data.reshape(-1, _CHANNELS, _SIDE, _SIDE).transpose(0, 2, 3, 1)
        write_images(folder, map(np.ascontiguousarray, images), labels, names, progress)

    def _checked(self, names: list[str], path: Path) -> list[str]:
        if len(names) != self.classes:
            raise DataError(
                f"{path} names {len(names)} classes, and {self.name} has {self.classes}",
                "Prepare it under its own name; lowlabel list shows all datasets.",
            )
        return names
