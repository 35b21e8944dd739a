"""`csv:FILE`: a dataset that a table lists, divided by its splits if it has any."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.folder import WHOLE
from lowlabel.datasets.images import LabelledPath
from lowlabel.datasets.io.listing import UNSCORED_CLASSES
from lowlabel.datasets.parts import GALLERY, KNOWN_DIVISIONS, divide
from lowlabel.datasets.splits.shared_classes import unshared_classes
from lowlabel.datasets.tables.entries import Entries, read_entries
from lowlabel.errors import DataError


def table_dataset(path: Path) -> Dataset:
    """Declares the images that a table lists as a dataset.

    The columns are `path`, relative to the folder of the table, `label`, or `labels` with several
    as "cat|dog", and optionally `split`, with the usual names of parts, `group`, and a box to crop
    to: `left`, `top`, `right`, `bottom`, or `box` with "left,top,right,bottom". Without splits all
    images are evaluated. Images are sorted by their paths, so that the order of the rows changes no
    score.

    Raises:
        DataError: If the table cannot be read, a row is wrong, or its splits are no division.
    """
    return listed_dataset("csv", path.name, path, path.parent, read_entries(path))


def listed_dataset(kind: str, name: str, path: Path, root: Path, entries: Entries) -> Dataset:
    """Declares a list of images, with their splits, as a dataset.

    Args:
        kind: What stands before the colon.
        name: The dataset's name behind it.
        path: What holds the list, as the user named it.
        root: Folder that the paths of the images are relative to.
        entries: The images by split; those of "" alone are evaluated.

    Raises:
        DataError: If the splits are no division.
    """
    parts = _parts(path, entries)
    gallery = GALLERY if GALLERY in parts else None
    trains = len(parts) > 1 and next(iter(parts)) != gallery and not entries.several
    classes = {
        part: {image.class_name for image in entries.images[split]}
        for part, split in (parts if trains else {}).items()
    }
    places = {part: f"the {split} rows of {path}" for part, split in parts.items()}
    unshared = unshared_classes(classes, places) if classes else ""
    shared = bool(classes) and not unshared
    found = [*classes.values()]
    rows = _Rows(parts, entries, len(found[0] - found[-1]) if shared else 0)
    division = Division(
        "splits" if len(parts) > 1 else WHOLE,
        tuple(parts),
        rows.labelled,
        kind="labels" if entries.several else "classes",
        gallery=gallery,
        shared_classes=shared,
        left_out=rows.left_out,
        unshared=unshared,
        notes=_unread(entries),
        grouped=any(image.group for listed in entries.images.values() for image in listed),
    )
    name = name.encode(errors="backslashreplace").decode()  # if it is no UTF-8
    return Dataset(
        name=f"{kind}:{name}",
        title=Path(name).stem if kind == "csv" else name,
        licence="the user's own",
        source=str(path),
        obtain="",
        marker="",
        divisions=(division,),
        root=root,
    )


def _parts(path: Path, entries: Entries) -> dict[str, str]:
    """The split of each part."""
    if [*entries.images] == [""]:
        return {WHOLE: ""}
    fix = f"Write the splits of one division: {KNOWN_DIVISIONS}."
    parts = divide(entries.images, str(path), fix)
    if parts is None:
        raise DataError(
            f"the splits of {path} are no division: {', '.join(sorted(entries.images))}",
            f"{fix} To score all alike, leave the splits out.",
        )
    return parts


def _unread(entries: Entries) -> tuple[str, ...]:
    return (f"columns that are not used: {', '.join(entries.unread)}",) if entries.unread else ()


@dataclass(frozen=True)
class _Rows:
    """The rows of a table by part.

    Attributes:
        parts: The split of each part.
        entries: What the table lists.
        unscored: Number of classes of the first part that the last lacks, if they share classes.
    """

    parts: dict[str, str]
    entries: Entries
    unscored: int

    def labelled(self, root: Path, part: str) -> list[LabelledPath]:
        """Lists the images of a part."""
        return self.entries.images[self.parts[part]]

    def left_out(self, root: Path, part: str) -> Counter[str]:
        """Counts what is not taken; all of it with the last part, which is scored."""
        if part != [*self.parts][-1]:
            return Counter()
        splits = {*self.entries.images} - {*self.parts.values()}
        counts = Counter(
            {f"in rows of {split}": len(self.entries.images[split]) for split in splits}
        )
        counts += Counter(self.entries.left_out)
        return +(counts + Counter({UNSCORED_CLASSES: self.unscored}))
