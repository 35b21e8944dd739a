"""`wds:PATTERN`: webdataset's tar shards, read in place."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lowlabel.datasets.base import Dataset
from lowlabel.datasets.io.listing import most_first
from lowlabel.datasets.sources.samples import Samples, Wanted, read_samples
from lowlabel.datasets.sources.shards import by_split, find_shards
from lowlabel.datasets.sources.tar_members import TAR
from lowlabel.datasets.tables.dataset import listed_dataset
from lowlabel.datasets.tables.listed import Label, listed_entries
from lowlabel.errors import DataError

_OPTION = re.compile(r"(.*),(image|label)=([^,=/{}]+)")


def webdataset(place: Path) -> Dataset:
    """Declares tar shards as a dataset.

    A sample is the files of one key: the name up to its first dot. Its image is the file with the
    suffix of an image; its label is `.cls`, else the field "label" of `.json`, else `.txt`. A list
    in `.json` is several labels.
    `PATTERN,image=SUFFIX` and `PATTERN,label=SUFFIX` or `PATTERN,label=json:FIELD` name others.
    Shards are the splits that their names hold, by the usual names of parts; one split alone is
    evaluated.

    Args:
        place: A folder of shards, or a pattern with braces and `*`.

    Raises:
        DataError: If there are no such shards, one is damaged, a sample has several images or no
            label, or the splits are no division.
    """
    pattern, wanted = _parsed(str(place))
    root, shards = find_shards(pattern)
    samples = {shard: read_samples(shard, wanted) for shard in shards}
    _check_sources(samples)
    images = {
        split: [image for shard in of for image in _listed(root, shard, samples[shard])]
        for split, of in by_split(root, shards).items()
    }
    left_out = sum((each.left_out for each in samples.values()), Counter[str]())
    if empty := [split for split, found in images.items() if not found]:
        others = most_first(left_out) or "no other file either"
        raise DataError(
            f"the shards {f'of {empty[0]} ' if empty[0] else ''}in {root} hold no "
            f"{f'image .{wanted.image}' if wanted.image else 'image'}, but {others}",
            "A sample is an image with its label beside it, as 000.jpg and 000.cls; the suffix of "
            "images that are called otherwise is named: wds:PATTERN,image=SUFFIX",
        )
    entries = listed_entries(images, pattern, left_out)
    return listed_dataset("wds", _name(pattern, root), place, root, entries)


def _parsed(text: str) -> tuple[Path, Wanted]:
    """The pattern, and what is named behind it."""
    options: dict[str, str] = {}
    while found := _OPTION.fullmatch(text):
        text, name, value = found.groups()
        options.setdefault(name, value.removeprefix("."))
    return Path(text), Wanted(**options)


def _check_sources(samples: dict[Path, Samples]) -> None:
    """Refuses shards whose labels stand in different places, which may name classes otherwise."""
    of = {found.source: shard for shard, found in samples.items() if found.source}
    if len(of) > 1:
        (one, first), (two, second), *_ = of.items()
        raise DataError(
            f"the labels of {first.name} stand in {one}, those of {second.name} in {two}",
            f"Name one of them: wds:PATTERN,label={one}",
        )


def _listed(root: Path, shard: Path, samples: Samples) -> Sequence[tuple[str, Label]]:
    inside = shard.relative_to(root).as_posix()
    return [(f"{inside}/{name}", label) for name, label in samples.images]


def _name(pattern: Path, root: Path) -> str:
    """The folder's name, with the pattern if that chooses among its shards."""
    folder = root.resolve().name
    if pattern.is_dir() or pattern.name == f"*{TAR}":
        return folder
    return f"{folder}/{pattern.name.removesuffix(TAR)}"
