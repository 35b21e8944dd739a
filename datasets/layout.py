"""Refuses folders whose sub-folders are not the classes that they would be taken for."""

import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from lowlabel.datasets.images import ImageSet
from lowlabel.datasets.io.lists import first_few
from lowlabel.datasets.parts import KNOWN_DIVISIONS, like_part, part_called
from lowlabel.errors import DataError, number_of

_EXPECTED = (
    f"Expected are PATH/CLASS/IMAGE, or PATH/PART/CLASS/IMAGE with the folders {KNOWN_DIVISIONS}."
)
_MOST_SHOWN = 5
_NUMBERED = re.compile(r"(fold|split|part|set|session|subset|batch)[\s._-]?\d+", re.IGNORECASE)
_WRAPPERS = {"data", "dataset", "images", "imgs", "img", "photos", "pictures", "jpegimages"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def check_classes(images: ImageSet, folder: str = "", *, is_scored: bool = True) -> None:
    """Raises a `DataError` if the class folders of `images` look like parts or hold the classes.

    Args:
        images: A part of a folder.
        folder: Sub-folder of the part; empty if the folder has no parts.
        is_scored: Whether its classes are told apart; one class is enough to learn whitening from.
    """
    top, depth = images.root / folder, len(PurePosixPath(folder).parts)
    inside: dict[str, set[str]] = {name: set() for name in images.class_names}
    flat: set[str] = set()  # classes with images of their own
    for path in images.paths:
        name, *below = path.split("/")[depth:-1]
        inside[name].add(below[0]) if below else flat.add(name)
    if len(inside) == 1:
        _refuse_one_class(images, top, is_part=bool(folder), is_scored=is_scored)
        return
    looks = [name for name in inside if like_part(name)]
    if not folder and (len(looks) > 1 or (looks and (len(inside) == 2 or looks[0] not in flat))):
        raise DataError(
            f"the folders {_shown(inside)} of {top} would be classes, but {_shown(looks)} "
            f"{'looks like a part' if len(looks) == 1 else 'look like parts'}",
            f"{_EXPECTED} To score one of them alone: --dataset folder:{top / looks[0]}",
        )
    alike = [] if folder else _differing_by_part(inside)
    if alike:
        raise DataError(
            f"the folders {_shown(inside)} of {top} would be classes, but {_shown(alike)} differ "
            "only in the name of a part",
            f"{_EXPECTED} To score one of them alone: --dataset folder:{top / alike[0]}",
        )
    for name, names in inside.items():
        if len({part_called(each) for each in names} - {None}) > 1:
            raise DataError(
                f"the folder {name}/ of {top} would be a class, but it holds {_shown(names)}",
                f"{_EXPECTED} To score it alone: --dataset folder:{top / name}",
            )
    first, *others = inside.values()
    if not flat and len(first) > 1 and all(names == first for names in others):
        raise DataError(
            f"the folders {_shown(inside)} of {top} would be classes, but each of them holds the "
            f"same folders {_shown(first)}, and no image of its own",
            f"{_EXPECTED} To score one of them alone: "
            f"--dataset folder:{top / images.class_names[0]}",
        )
    if not folder:
        _refuse_numbered_or_wrapped(inside, flat, top)


def _refuse_numbered_or_wrapped(inside: dict[str, set[str]], flat: set[str], top: Path) -> None:
    """Refuses fold1/ and fold2/, or images/ beside thumbs/, that hold the classes."""
    deep = [name for name in inside if name not in flat and len(inside[name]) > 1]
    numbered = len(deep) == len(inside) and all(_NUMBERED.fullmatch(name) for name in deep)
    wrapping = [name for name in deep if name.casefold() in _WRAPPERS]
    if numbered or wrapping:
        scored = (wrapping or deep)[0]
        raise DataError(
            f"the folders {_shown(inside)} of {top} would be classes, but {scored}/ holds the "
            f"folders {_shown(inside[scored])}, and no image of its own",
            f"{_EXPECTED} To score it alone: --dataset folder:{top / scored}",
        )
    if not flat and sum(map(len, inside.values())) > len(inside):
        warnings.warn(
            f"{top} has {number_of(len(inside), 'classes')}, {_shown(inside)}; the "
            f"{number_of(sum(map(len, inside.values())), 'folders')} in them are not told apart",
            stacklevel=2,
        )


def _differing_by_part(names: Iterable[str]) -> list[str]:
    """Names that are equal but for the part that a word stands for: seg_train and seg_test."""
    parts: dict[tuple[str, str], dict[str, str]] = {}
    for name in names:
        for word in _WORD.finditer(name):
            if part := part_called(word[0]):
                around = name[: word.start()].casefold(), name[word.end() :].casefold()
                parts.setdefault(around, {})[part] = name
    return sorted({n for found in parts.values() if len(found) > 1 for n in found.values()})


def _refuse_one_class(images: ImageSet, top: Path, *, is_part: bool, is_scored: bool) -> None:
    """Says what the only class holds, and where its classes are if it is no class."""
    common = PurePosixPath(images.paths[0]).parent
    while not all(PurePosixPath(path).is_relative_to(common) for path in images.paths):
        common = common.parent
    below = {PurePosixPath(path).relative_to(common).parts[0] for path in images.paths}
    only = f"{top} has one class, {images.class_names[0]}/, with {number_of(len(images), 'images')}"
    if any(PurePosixPath(path).parent == common for path in images.paths):
        if is_scored:
            raise DataError(f"{only}: nothing can be told apart", _EXPECTED)
        return
    deeper = images.root / common
    raise DataError(
        f"{only} in the folders {_shown(below)} of {deeper}",
        f"If these are the classes, move them to {top}."
        if is_part
        else f"If these are the classes: --dataset folder:{deeper}",
    )


def _shown(names: Sequence[str] | set[str] | dict[str, set[str]]) -> str:
    return first_few([f"{name}/" for name in sorted(names)], _MOST_SHOWN)
