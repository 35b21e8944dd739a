"""Recognises the parts of a folder, or of a table, by the names that are usual for them."""

import re
from collections.abc import Iterable
from pathlib import Path

from lowlabel.datasets.io.listing import folders_in
from lowlabel.errors import DataError

TRAIN, VAL, TEST, BASE, NOVEL = "train", "val", "test", "base", "novel"
GALLERY, QUERY = "gallery", "query"
PRETEXT = "pretext"  # unlabelled images beside the parts, which `pretrain` takes
_USUAL = {
    TRAIN: ("train", "training", "trn"),
    VAL: ("val", "valid", "validation", "dev", "development", "eval"),
    TEST: ("test", "testing", "tst"),
    GALLERY: ("gallery", "galleries"),
    QUERY: ("query", "queries"),
}
_AFFIXES = ("", "set", "data", "images", "imgs", "split")
_PART_OF = {BASE: BASE, NOVEL: NOVEL} | {
    spelling: part
    for part, usual in _USUAL.items()
    for word in usual
    for affix in _AFFIXES
    for spelling in (word + affix, affix + word, "meta" + word)
}
_LIKE_PARTS = {  # names that are no part here, but no class either
    *(PRETEXT, "support", "seen", "unseen", "known", "unknown", "holdout"),
    *("labeled", "labelled", "unlabeled", "unlabelled", "calibration", "evaluation", "heldout"),
}
_ENDS = ((BASE, NOVEL), (TRAIN, TEST), (GALLERY, QUERY))  # of two, no one is surely scored
# Combinations that are a division, in the order of its parts; the last part is scored.
_COMPLETE = (
    *((first, *middle, last) for first, last in _ENDS[:2] for middle in ((VAL,), ())),
    *((*first, *middle, *_ENDS[2]) for first in ((BASE,), (TRAIN,)) for middle in ((VAL,), ())),
    _ENDS[2],
)
_SCORED_ON_VAL = tuple((first, VAL) for first in (TRAIN, BASE))
KNOWN_DIVISIONS = (
    "base, val and novel, or train, val and test (val may be missing), or query and gallery (with "
    "or without train and val)"
)


def part_called(name: str) -> str | None:
    """The part that a folder's name stands for, in any case, such as train for "Training"."""
    return _PART_OF.get(_plain(name))


def is_pretext(name: str) -> bool:
    """Whether a folder's name stands for unlabelled images to pretrain on, in any case."""
    return name.casefold() == PRETEXT


def like_part(name: str) -> bool:
    """Whether a folder's name stands for a part, or for a division that is not known here."""
    plain = _plain(name)
    stem = re.sub(r"(class(es)?|images|set|data)$", "", plain)
    return bool({plain, stem} & (_PART_OF.keys() | _LIKE_PARTS))


def _plain(name: str) -> str:
    return re.sub(r"[\s._-]", "", name).casefold()


def find_parts(root: Path) -> dict[str, str] | None:
    """Finds the sub-folders of `root` that are its parts; see `divide`."""
    listed = {f"{name}/": name for name in folders_in(root)}
    parts = divide(listed, str(root), f"Keep one folder for each part: {KNOWN_DIVISIONS}.")
    return parts and {part: listed[name] for part, name in parts.items()}


def divide(names: Iterable[str], holder: str, fix: str) -> dict[str, str] | None:
    """Finds the parts among some names.

    Parts are base, val and novel, or train, val and test; val may be missing, and where it is the
    only held-out part, it is scored. Queries that are searched in a gallery are scored, too.

    Args:
        names: Names of folders, which may end in "/", or of splits.
        holder: What holds them, for messages.
        fix: How to make them unambiguous.

    Returns:
        The name that stands for each part; methods may train on the first, the last is scored.
        None if the names are no division.

    Raises:
        DataError: If two names stand for one part, or for parts of two divisions.
    """
    found: dict[str, list[str]] = {}
    for name in names:
        if part := part_called(name.removesuffix("/")):
            found.setdefault(part, []).append(name)
    parts = next((parts for parts in (*_COMPLETE, *_SCORED_ON_VAL) if found.keys() >= {*parts}), ())
    if not parts:
        return None
    several = [name for part in parts if len(found[part]) > 1 for name in found[part]]
    rivals = [found[part][0] for ends in _ENDS if found.keys() >= {*ends} for part in ends]
    if several or len(rivals) > len(_ENDS[0]):
        raise DataError(
            f"the parts of {holder} are ambiguous: it holds {', '.join(several or rivals)}", fix
        )
    return {part: found[part][0] for part in parts}
