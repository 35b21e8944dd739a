"""Whether the train part of the user's own data has the classes of the others."""

from collections.abc import Mapping, Set

from lowlabel.datasets.io.lists import first_few

_MOST_NAMED = 5


def unshared_classes(classes: Mapping[str, Set[str]], places: Mapping[str, str]) -> str:
    """Which classes of the other parts the first part lacks; empty if it has all of them.

    Args:
        classes: Classes of each part, the first of which is trained on.
        places: What each part is called in messages.
    """
    for part, each in classes.items():
        if not each:
            return f"{places[part]} has no class folders with images"
    train, *others = classes
    for part in others:
        if missing := sorted(classes[part] - classes[train]):
            return (
                f"{len(missing):,} of the {len(classes[part]):,} classes of {places[part]} have no "
                f"images in {places[train]}: {first_few(missing, _MOST_NAMED)}"
            )
    return ""
