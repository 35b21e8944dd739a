"""Entries of sources that list their images themselves, each with a label or several."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lowlabel.datasets.images import LabelledPath
from lowlabel.datasets.tables.entries import Entries
from lowlabel.datasets.tables.labels import check_lists, joined_labels

Label = str | tuple[str, ...]  # several where it is a tuple


def listed_entries(
    images: Mapping[str, Sequence[tuple[str, Label]]],
    place: Path,
    left_out: Mapping[str, int] | None = None,
) -> Entries:
    """The images of a source; one that has several labels makes all of them sets of labels.

    Args:
        images: Path and label of each image, by split.
        place: What the user named, for messages.
        left_out: See `Entries`.

    Raises:
        DataError: If several labels are a flag for each class, or one holds the separator.
    """
    labels = [label for listed in images.values() for _, label in listed]
    several = any(isinstance(label, tuple) for label in labels)
    if several:
        check_lists([label for label in labels if isinstance(label, tuple)], place)
        check_lists([(label,) for label in labels if isinstance(label, str)], place)
    joined = {
        split: [LabelledPath(path, _set(label) if several else str(label)) for path, label in of]
        for split, of in images.items()
    }
    return Entries(joined, (), left_out or {}, several=several)


def _set(label: Label) -> str:
    return joined_labels(label if isinstance(label, tuple) else (label,))
