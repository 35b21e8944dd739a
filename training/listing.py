"""Which images a run learns from: any folder, labelled or not, or a data set's learnt part."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lowlabel.datasets import ImageSet, LabelledPath, open_dataset
from lowlabel.datasets.folder import IMAGE_SUFFIXES, PART_NAMES
from lowlabel.errors import DataError, InputError

PRETEXT = "pretext"
_EXAMPLES = 5


@dataclass(frozen=True)
class PretrainData:
    """The images to learn from, and labelled ones for the k-NN score on the way.

    Attributes:
        images: What is learnt from; its labels are not used.
        bank: Labelled images that k-NN takes its votes from; None where there are none.
        queries: Labelled images that k-NN classifies; of the same classes.
    """

    images: ImageSet
    bank: ImageSet | None = None
    queries: ImageSet | None = None


def list_pretrain_data(
    spec: str, class_list: Path | None = None, *, allow_partial: bool = False
) -> PretrainData:
    """Lists the images that `--dataset` names.

    A data set of the suite gives its learnt part (base or train). A folder gives its `pretext`
    sub-folder if it has one (with `train` and `val` for k-NN), else its learnt part if it is
    divided, else every image under it at any depth.

    Args:
        spec: NAME, NAME:DIVISION, folder:PATH, or the path of a folder.
        class_list: File with one class folder a line; only images under such a folder are used.
        allow_partial: Accept other counts than the full set's.

    Raises:
        UnknownNameError: If there is no such data set.
        DataError: If there is no such folder, or no image, or none of the listed classes.
    """
    folder = _folder(spec)
    data = _from_folder(folder) if folder else _from_dataset(spec, allow_partial)
    if class_list is None:
        return data
    return PretrainData(
        _restrict(data.images, read_class_list(class_list)), data.bank, data.queries
    )


def read_class_list(path: Path) -> list[str]:
    """The names in a file, one a line; empty lines and those that begin with # are left out.

    Raises:
        DataError: If the file cannot be read or names nothing.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the class list {path}: {error}") from error
    names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not names:
        raise DataError(f"the class list {path} names no class", "Write one class folder a line.")
    return names


def _folder(spec: str) -> Path | None:
    kind, separator, rest = spec.partition(":")
    if kind == "folder" and separator:
        return Path(rest).expanduser()
    path = Path(spec).expanduser()
    return path if path.is_dir() and len(path.parts) > 1 else None


def _from_dataset(spec: str, allow_partial: bool) -> PretrainData:
    opened = open_dataset(spec, allow_partial=allow_partial)
    learnt = opened.division.train_part
    if learnt is None:
        raise InputError(
            f"{opened.name} has no part to learn from: all of it is evaluated",
            "Name a division that has one, or folder:PATH.",
        )
    middle = [part for part in opened.division.parts[1:-1] if part == "val"]
    bank, queries = halves(opened.load("val")) if middle else (None, None)
    return PretrainData(opened.load(learnt), bank, queries)


def _from_folder(root: Path) -> PretrainData:
    if not root.is_dir():
        raise DataError(f"there is no folder {root}", "A folder is named folder:PATH.")
    if (root / PRETEXT).is_dir():
        labelled = [(root / part).is_dir() for part in ("train", "val")]
        bank, queries = (
            (_walk(root, "train"), _walk(root, "val")) if all(labelled) else (None, None)
        )
        return PretrainData(_walk(root, PRETEXT), bank, queries)
    for learnt, held_out, evaluated in PART_NAMES:
        if (root / learnt).is_dir() and (root / evaluated).is_dir():
            has_val = (root / held_out).is_dir()
            bank, queries = halves(_walk(root, held_out)) if has_val else (None, None)
            return PretrainData(_walk(root, learnt), bank, queries)
    return PretrainData(_walk(root, ""))


def _walk(root: Path, part: str) -> ImageSet:
    """Every image under `root/part` at any depth; its class is the folder below that it lies in."""
    top = root / part
    paths = sorted(
        path.relative_to(root)
        for path in top.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    )
    if not paths:
        raise DataError(
            f"no images under {top}", f"Looked for {', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    listing = [
        LabelledPath(path.as_posix(), path.parent.relative_to(part).as_posix()) for path in paths
    ]
    return ImageSet.from_listing(f"folder:{root.name}", part or "all", root, listing)


def _restrict(images: ImageSet, names: Collection[str]) -> ImageSet:
    wanted = set(names)
    rows = [
        row
        for row, (path, label) in enumerate(zip(images.paths, images.labels, strict=True))
        if wanted & {*path.split("/")[:-1], images.class_names[label]}
    ]
    if not rows:
        raise DataError(
            f"no image of {images.dataset} lies in one of the {len(wanted)} listed classes "
            f"({', '.join(sorted(wanted)[:_EXAMPLES])}, …)",
            f"Its classes are: {', '.join(images.class_names[:_EXAMPLES])}, …",
        )
    return images.only(rows)


def halves(images: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Splits labelled images in two: every other image of each class."""
    seen: dict[int, int] = {}
    parts: tuple[list[int], list[int]] = ([], [])
    for row, label in enumerate(images.labels.tolist()):
        seen[label] = seen.get(label, -1) + 1
        parts[seen[label] % 2].append(row)
    return images.only(parts[0]), images.only(parts[1])
