"""Groups of images as numbers: patients, cameras, bursts."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lowlabel.datasets.images import ImageSet
from lowlabel.specs import json_sha256


def group_numbers(images: Mapping[str, ImageSet]) -> dict[str, NDArray[np.int64]]:
    """Numbers the groups of all parts together; an image that has none is a group of its own.

    Args:
        images: The parts.

    Returns:
        By part, the group of each image [N]; empty if no image has one.
    """
    names = sorted({name for each in images.values() for name in each.groups or () if name})
    if not names:
        return {}
    number, alone = {name: n for n, name in enumerate(names)}, len(names)
    found = {}
    for part, each in images.items():
        groups = each.groups or ("",) * len(each)
        of = np.array([number.get(name, -1) for name in groups], dtype=np.int64)
        without = np.flatnonzero(of < 0)
        of[without] = alone + np.arange(len(without))
        alone += len(without)
        found[part] = of
    return found


def groups_sha256(groups: Mapping[str, NDArray[np.int64] | None]) -> str:
    """Hash of the groups of some parts; empty if they have none."""
    listed = {part: of.tolist() for part, of in groups.items() if of is not None}
    return json_sha256(listed) if listed else ""
