"""Divides images into train and test by class: drawn once, by a hash of their names."""

import hashlib
from collections.abc import Iterable

from lowlabel.datasets.images import LabelledPath

_SEED = 0


def drawn(images: Iterable[LabelledPath], part: str, share: int) -> list[LabelledPath]:
    """Returns the images of a part, sorted by path.

    In each class, the images are ordered by a hash of their names, so that the draw depends on
    nothing else, and one of `share` is for testing, at least one.

    Args:
        images: The images of all classes.
        part: "train" or "test".
        share: Number of images of which one is a test image.
    """
    by_class: dict[str, list[LabelledPath]] = {}
    for image in images:
        by_class.setdefault(image.class_name, []).append(image)
    chosen: list[LabelledPath] = []
    for of_class in by_class.values():
        order = sorted(of_class, key=_draw)
        tested = max(len(order) // share, 1)
        chosen += order[:tested] if part == "test" else order[tested:]
    return sorted(chosen)


def _draw(image: LabelledPath) -> bytes:
    name = f"{_SEED}/{image.class_name}/{image.path.rpartition('/')[2]}"
    return hashlib.sha256(name.encode(errors="surrogateescape")).digest()
