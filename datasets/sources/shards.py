"""Finds the shards that a pattern names, and the split that each belongs to."""

import glob
import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePath

from lowlabel.datasets.io.listing import is_hidden
from lowlabel.datasets.parts import part_called
from lowlabel.datasets.sources.tar_members import TAR
from lowlabel.errors import DataError

_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST = 100_000  # shards
_MOST_SHOWN = 5
_EXAMPLE = "Name shards as wds:'shards/{train,test}-{000..012}.tar', or their folder as wds:shards"


def expand_braces(pattern: str) -> list[str]:
    """Expands `{a,b}` and `{000..012}` as a shell does, from left to right.

    Raises:
        DataError: If a brace has no end or is empty, a range runs backwards, or there are more
            than 100,000 names.
    """
    names = [pattern]
    while any("{" in name or "}" in name for name in names):
        expanded: list[str] = []
        for name in names:
            expanded += _expanded(name) if "{" in name or "}" in name else [name]
            if len(expanded) > _MOST:
                raise DataError(f"{pattern} names more than {_MOST:,} shards", _EXAMPLE)
        names = expanded
    return names


def _expanded(name: str) -> list[str]:
    """Expands the first brace of a name, if it has one; its choices may hold others."""
    start = name.find("{")
    end, commas = _closed(name, start)
    if start < 0 or not end:
        raise DataError(f"the braces of {name} are not closed", _EXAMPLE)
    inside = name[start + 1 : end]
    if limits := _RANGE.fullmatch(inside):
        first, last = map(int, limits.groups())
        if not 0 <= last - first < _MOST:
            raise DataError(f"{{{inside}}} runs backwards, or has more than {_MOST:,}", _EXAMPLE)
        width = len(limits[1])
        choices = [f"{number:0{width}d}" for number in range(first, last + 1)]
    elif commas:
        edges = [start, *commas, end]
        choices = [name[left + 1 : right] for left, right in pairwise(edges)]
    else:
        raise DataError(f"{{{inside}}} in {name} is neither a range nor a choice", _EXAMPLE)
    return [name[:start] + choice + name[end + 1 :] for choice in choices]


def _closed(name: str, start: int) -> tuple[int, list[int]]:
    """Where the brace at `start` is closed, 0 for nowhere, and where its own commas stand."""
    depth = 0
    commas: list[int] = []
    for at in range(max(start, 0), len(name)):
        depth += (name[at] == "{") - (name[at] == "}")
        if depth == 0:
            return at, commas
        if depth == 1 and name[at] == ",":
            commas.append(at)
    return 0, commas


def find_shards(pattern: Path) -> tuple[Path, list[Path]]:
    """Lists the shards of a folder, or those that a pattern with braces and `*` names.

    Returns:
        The folder that holds them all, and the shards, sorted.

    Raises:
        DataError: If there are none, one that braces name is missing or named twice, or they are
            no uncompressed tar files.
    """
    if pattern.is_dir():
        found = [each for each in pattern.rglob("*") if each.is_file()]
        shown = [each for each in found if not any(map(is_hidden, each.relative_to(pattern).parts))]
        shards = [each for each in shown if each.suffix == TAR]
        _check(pattern, shards or [each for each in shown if _is_compressed(each)])
        return pattern, sorted(shards)
    shards = [pattern] if pattern.is_file() else _named(str(pattern))
    _check(pattern, shards)
    return Path(os.path.commonpath([str(each.parent) for each in shards])), sorted(shards)


def _named(pattern: str) -> list[Path]:
    """The shards that a pattern names; `*` and `?` may match none, but not all of them."""
    shards: list[Path] = []
    missing: list[str] = []
    for name in expand_braces(pattern):
        found = glob.glob(name, recursive=True)  # noqa: PTH207 patterns may be absolute
        shards += [Path(each) for each in found]
        if not found:
            missing.append(name)
    if missing:
        more = f" and {len(missing) - _MOST_SHOWN:,} more" if len(missing) > _MOST_SHOWN else ""
        raise DataError(
            f"there are no shards {', '.join(missing[:_MOST_SHOWN])}{more}",
            f"{_EXAMPLE}\nQuotes keep the shell from expanding the braces itself.",
        )
    return shards


def _check(pattern: Path, shards: Sequence[Path]) -> None:
    if not shards:
        raise DataError(f"{pattern} holds no tar files", _EXAMPLE)
    if compressed := [each for each in shards if _is_compressed(each)]:
        raise DataError(
            f"{compressed[0]} is compressed: its images cannot be read one by one, in place",
            f"Decompress it; images are compressed already: tar files are called X{TAR}.",
        )
    if others := [each for each in shards if each.suffix != TAR]:
        raise DataError(f"{others[0]} is not called X{TAR}", _EXAMPLE)
    if twice := [each for each, count in Counter(shards).items() if count > 1]:
        raise DataError(f"{pattern} names {twice[0]} more than once", _EXAMPLE)


def _is_compressed(path: Path) -> bool:
    return path.name.endswith(_COMPRESSED)


def by_split(root: Path, shards: Sequence[Path]) -> dict[str, list[Path]]:
    """Groups shards by the split that their names hold, or else one of their folders below `root`.

    `train-000012.tar`, `imagenet1k-train-0012.tar` and `train/12.tar` are of train, by the usual
    names of parts. Shards of one split alone, or of none, are all of "".
    """
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for shard in shards:
        found[_split_of(shard.relative_to(root))].append(shard)
    if len(found) == 1 or not any(map(part_called, found)):
        return {"": list(shards)}
    return dict(found)


def _split_of(shard: PurePath) -> str:
    """The split of a shard; its name without its number if it holds no part's name."""
    stem = shard.name.removesuffix(TAR)
    parts = {word for word in re.split(r"[-_.]", stem) if part_called(word)}
    if len(parts) == 1:
        return parts.pop()
    folders = [name for name in reversed(shard.parts[:-1]) if part_called(name)]
    return folders[0] if folders else re.sub(r"[-_.]?\d+$", "", stem) or shard.parent.name
