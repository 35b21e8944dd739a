"""The images of a pretraining run: any folder, labelled or not, or a dataset's training part."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lowlabel.datasets import ImageSet, LabelledPath, open_dataset
from lowlabel.datasets.folder import IMAGE_SUFFIXES, PART_NAMES
from lowlabel.errors import DataError, InputError

PRETEXT = "pretext"
_MAX_LISTED = 5


@dataclass(frozen=True)
class PretrainData:
    """Images to train on, and labelled images for the k-NN score during training.

    Attributes:
        images: Images to train on; their labels are not used.
        bank: Labelled images that vote in k-NN; None if there are none.
        queries: Labelled images to classify by k-NN, of the same classes.
    """

    images: ImageSet
    bank: ImageSet | None = None
    queries: ImageSet | None = None


def list_pretrain_data(
    spec: str, class_list: Path | None = None, *, allow_partial: bool = False
) -> PretrainData:
    """Lists the images that `--dataset` names.

    A dataset of the catalogue provides its training part (base or train). A folder provides its
    `pretext` sub-folder if there is one (with `train` and `val` for k-NN), else its training part
    if it is divided into parts, else all images under it.

    Args:
        spec: NAME, NAME:DIVISION, folder:PATH, or the path of a folder.
        class_list: File with one class folder per line; only images under these are used.
        allow_partial: Allow incomplete datasets.

    Raises:
        UnknownNameError: If there is no such dataset.
        DataError: If there is no such folder, no image, or no image of the listed classes.
    """
    folder = _folder(spec)
    data = _from_folder(folder) if folder else _from_dataset(spec, allow_partial)
    if class_list is None:
        return data
    return PretrainData(
        _restrict(data.images, read_class_list(class_list)), data.bank, data.queries
    )


def read_class_list(path: Path) -> list[str]:
    """Reads class names, one per line; empty lines and lines that start with # are ignored.

    Raises:
        DataError: If the file cannot be read or names no class.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the class list {path}: {error}") from error
    names = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not names:
        raise DataError(f"the class list {path} names no class", "Write one class folder per line.")
    return names


def _folder(spec: str) -> Path | None:
    kind, separator, rest = spec.partition(":")
    if kind == "folder" and separator:
        return Path(rest).expanduser()
    path = Path(spec).expanduser()
    return path if path.is_dir() and len(path.parts) > 1 else None


def _from_dataset(spec: str, allow_partial: bool) -> PretrainData:
    opened = open_dataset(spec, allow_partial=allow_partial)
    train_part = opened.division.train_part
    if train_part is None:
        raise InputError(
            f"{opened.name} has no part to train on: all of its images are evaluated",
            "Give --dataset NAME:DIVISION with a training part, or folder:PATH.",
        )
    has_val = "val" in opened.division.parts[1:-1]
    bank, queries = halves(opened.load("val")) if has_val else (None, None)
    return PretrainData(opened.load(train_part), bank, queries)


def _from_folder(root: Path) -> PretrainData:
    if not root.is_dir():
        raise DataError(f"there is no folder {root}", "Give --dataset folder:PATH.")
    if (root / PRETEXT).is_dir():
        labelled = [(root / part).is_dir() for part in ("train", "val")]
        bank, queries = (
            (_walk(root, "train"), _walk(root, "val")) if all(labelled) else (None, None)
        )
        return PretrainData(_walk(root, PRETEXT), bank, queries)
    for train_part, held_out, evaluated in PART_NAMES:
        if (root / train_part).is_dir() and (root / evaluated).is_dir():
            has_val = (root / held_out).is_dir()
            bank, queries = halves(_walk(root, held_out)) if has_val else (None, None)
            return PretrainData(_walk(root, train_part), bank, queries)
    return PretrainData(_walk(root, ""))


def _walk(root: Path, part: str) -> ImageSet:
    """All images under `root/part`; the class of an image is its folder, relative to the part."""
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
    listed = set(names)
    rows = [
        row
        for row, (path, label) in enumerate(zip(images.paths, images.labels, strict=True))
        if listed & {*path.split("/")[:-1], images.class_names[label]}
    ]
    if not rows:
        raise DataError(
            f"no image of {images.dataset} is in one of the {len(listed)} listed classes "
            f"({', '.join(sorted(listed)[:_MAX_LISTED])}, …)",
            f"Its classes are: {', '.join(images.class_names[:_MAX_LISTED])}, …",
        )
    return images.only(rows)


def halves(images: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Splits labelled images in two halves: alternate images of each class."""
    seen: dict[int, int] = {}
    parts: tuple[list[int], list[int]] = ([], [])
    for row, label in enumerate(images.labels.tolist()):
        seen[label] = seen.get(label, -1) + 1
        parts[seen[label] % 2].append(row)
    return images.only(parts[0]), images.only(parts[1])
