"""The samples of a webdataset shard: an image and its label under one key."""

import json
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

from lowlabel.datasets.io.listing import NO_SUFFIX, image_suffixes
from lowlabel.datasets.sources.tar_members import Place, read_at, tar_index
from lowlabel.datasets.tables.listed import Label
from lowlabel.datasets.tables.rows import as_text
from lowlabel.errors import DataError

_LABELS = ("cls", "json", "txt")  # where labels are looked for, in this order
_JSON, _FIELD = "json", "label"
_LONGEST = 1 << 20  # bytes of the file of a label
_NAME_IT = "Name where the labels stand: wds:PATTERN,label=SUFFIX or wds:PATTERN,label=json:FIELD"
_Files = Mapping[str, str]  # names of the files of a sample, by their suffix


class Wanted(NamedTuple):
    """What the user names: suffixes of images and of labels; empty for the usual ones."""

    image: str = ""
    label: str = ""


class Samples(NamedTuple):
    """The samples of a shard.

    Attributes:
        images: Name and label, or several, of each image, in the order of the shard.
        source: Where the labels stand: "cls", "json:label", …; empty if there is no image.
        left_out: Number of the other files, by suffix.
    """

    images: tuple[tuple[str, Label], ...]
    source: str
    left_out: Counter[str]


def read_samples(shard: Path, wanted: Wanted) -> Samples:
    """Reads the samples of a shard, once in each of its states.

    Raises:
        DataError: If the shard is damaged, or a sample has several images or no label.
    """
    tar_index(shard)  # which says what is wrong with the file
    status = shard.stat()
    return _read(shard, wanted, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4096)
def _read(shard: Path, wanted: Wanted, changed: int, size: int) -> Samples:
    index = tar_index(shard)
    samples = _grouped(shard, index.places)
    images = {key: _image_of(shard, key, samples[key], wanted.image) for key in samples}
    samples = {key: files for key, files in samples.items() if images[key]}
    with shard.open("rb") as file:
        labels = _Labels(shard, file, index.places)
        source = _spelled(wanted.label) or labels.source(samples)
        found = {key: labels.read(files, source) for key, files in samples.items()}
    if missing := [key for key, label in found.items() if not label]:
        raise DataError(
            f"{len(missing):,} of the {len(found):,} samples of {shard} have no label in "
            f"{source}, the first is {missing[0]}",
            _NAME_IT,
        )
    taken = {images[key] for key in samples}
    taken |= {files.get(source.partition(":")[0], "") for files in samples.values()}
    others = Counter(_suffix(name) for name in index.places if name not in taken)
    listed = tuple((images[key], label) for key, label in found.items() if label)
    return Samples(listed, source, others + index.left_out)


def _grouped(shard: Path, names: Mapping[str, Place]) -> dict[str, dict[str, str]]:
    """The files of each key: a key ends at the first dot of a file's name."""
    samples: dict[str, dict[str, str]] = {}
    for name in names:
        folder, slash, file = name.rpartition("/")
        stem, _, suffix = file.partition(".")
        files = samples.setdefault(folder + slash + stem, {})
        if suffix.lower() in files:
            raise DataError(
                f"{shard} has {files[suffix.lower()]} and {name}, which are one file of one key",
                "Write each sample once, under a key of its own.",
            )
        files[suffix.lower()] = name
    return samples


def _image_of(shard: Path, key: str, files: _Files, wanted: str) -> str:
    """The image of a sample; empty if it has none. One of a plain suffix comes before others."""
    if wanted:
        return files.get(wanted.lower(), "")
    images = [suffix for suffix in files if _suffix(suffix) in image_suffixes()]
    plain = [suffix for suffix in images if "." not in suffix]
    chosen = plain if len(plain) == 1 else images
    if len(chosen) > 1:
        raise DataError(
            f"the key {key} of {shard} has several images: {', '.join(chosen)}. A key ends at the "
            "first dot of a name",
            f"Name the suffix of one: wds:PATTERN,image={chosen[0]}",
        )
    return files[chosen[0]] if chosen else ""


def _suffix(name: str) -> str:
    """The last suffix of a file, such as ".jpg" of "jpg" and of "000.seg.jpg"."""
    last = name.rpartition("/")[2].rpartition(".")
    return f".{last[2].lower()}" if last[1] or "/" not in name else NO_SUFFIX


def _spelled(label: str) -> str:
    return f"{_JSON}:{_FIELD}" if label == _JSON else label


def _label(value: Any) -> str | None:
    """A label as text, as those of parquet are; None if it is missing."""
    text = as_text(value)
    return None if text in ("", "-1") else text


class _Labels:
    """Reads the labels of an open shard."""

    def __init__(self, shard: Path, file: IO[bytes], places: Mapping[str, Place]) -> None:
        self._shard, self._file, self._places = shard, file, places

    def source(self, samples: Mapping[str, _Files]) -> str:
        """Where the labels stand: the first of the usual suffixes that holds one."""
        for suffix in _LABELS:
            source = _spelled(suffix)
            with_it = [files for files in samples.values() if suffix in files]
            if with_it and (suffix != _JSON or self.read(with_it[0], source) is not None):
                return source
        if not samples:
            return ""
        key, files = next(iter(samples.items()))
        raise DataError(
            f"the samples of {self._shard} have no label: {key} has the files {', '.join(files)}"
            + (f", and no field {_FIELD} in {_JSON}" if _JSON in files else ""),
            _NAME_IT,
        )

    def read(self, files: _Files, source: str) -> Label | None:
        """The label of a sample, or several; None or empty if it has none."""
        suffix, _, field = source.partition(":")
        if suffix not in files:
            return None
        value: Any = self._text(files[suffix])
        if suffix.rpartition(".")[2] == _JSON:
            value = self._field(files[suffix], value, field or _FIELD)
        if not isinstance(value, list):
            return _label(value)
        labels = [_label(each) for each in value]
        return () if None in labels else tuple(filter(None, labels))

    def _field(self, name: str, text: str, field: str) -> Any:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{self._shard}/{name} is no JSON: {error}", _NAME_IT) from error
        value = value.get(field) if isinstance(value, dict) else value
        values = value if isinstance(value, list) else [value]
        if any(isinstance(each, dict | list) for each in values):
            raise DataError(f"the field {field} of {self._shard}/{name} is no label", _NAME_IT)
        return value

    def _text(self, name: str) -> str:
        place = self._places[name]
        if place.size > _LONGEST:
            raise DataError(f"{self._shard}/{name} is no label: {place.size:,} bytes", _NAME_IT)
        try:
            return read_at(self._file, place).decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise DataError(f"{self._shard}/{name} is no text in UTF-8", _NAME_IT) from error
