"""Recognises the parts of a folder by the names that are usual for its sub-folders."""

import re
from pathlib import Path

from lowlabel.datasets.io.listing import folders_in
from lowlabel.errors import DataError

TRAIN, VAL, TEST, BASE, NOVEL = "train", "val", "test", "base", "novel"
PRETEXT = "pretext"  # unlabelled images beside the parts, which `pretrain` takes
_USUAL = {
    TRAIN: ("train", "training", "trn"),
    VAL: ("val", "valid", "validation", "dev", "development", "eval"),
    TEST: ("test", "testing", "tst"),
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
    *(
        PRETEXT,
        "query",
        "queries",
        "gallery",
        "support",
        "seen",
        "unseen",
        "known",
        "unknown",
        "holdout",
    ),
    *("labeled", "labelled", "unlabeled", "unlabelled", "calibration", "evaluation", "heldout"),
}
# Combinations that are a division, in the order of its parts; the last part is scored.
_COMPLETE = tuple(
    (first, *middle, last)
    for first, last in ((BASE, NOVEL), (TRAIN, TEST))
    for middle in ((VAL,), ())
)
_SCORED_ON_VAL = ((TRAIN, VAL), (BASE, VAL))


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
    """Finds the sub-folders of `root` that are its parts.

    Parts are base, val and novel, or train, val and test; val may be missing. Where val is the
    only held-out part, it is scored.

    Returns:
        The name of the sub-folder of each part; methods may train on the first, the last is
        scored. None if the sub-folders are no division.

    Raises:
        DataError: If two sub-folders stand for one part, or for parts of two divisions.
    """
    found: dict[str, list[str]] = {}
    for name in folders_in(root):
        if part := part_called(name):
            found.setdefault(part, []).append(name)
    parts = next((parts for parts in (*_COMPLETE, *_SCORED_ON_VAL) if found.keys() >= {*parts}), ())
    if not parts:
        return None
    several = [name for part in parts if len(found[part]) > 1 for name in found[part]]
    rivals = [found[part][0] for part in (BASE, NOVEL, TRAIN, TEST) if part in found]
    if several or len(rivals) == 4:
        names = several or rivals
        listed = ", ".join(f"{name}/" for name in names)
        raise DataError(
            f"the parts of {root} are ambiguous: it holds {listed}",
            "Keep one folder for each part: base, val and novel, or train, val and test; val may "
            "be missing.",
        )
    return {part: found[part][0] for part in parts}
