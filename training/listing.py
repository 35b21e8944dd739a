"""The images of a pretraining run: any folder, labelled or not, or a dataset's training part."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lowlabel.datasets import ImageSet, LabelledPath, open_dataset
from lowlabel.datasets.base import VALIDATION
from lowlabel.datasets.class_list import read_class_list
from lowlabel.datasets.folder import WHOLE, refuse_tiny_imagenet
from lowlabel.datasets.io.listing import folders_in, image_suffixes, list_images, shown_counts
from lowlabel.datasets.io.lists import first_few
from lowlabel.datasets.parts import GALLERY, PRETEXT, find_parts, is_pretext
from lowlabel.errors import DataError, InputError
from lowlabel.paths import expanded

_MAX_LISTED = 5


@dataclass(frozen=True)
class PretrainData:
    """Images to train on, and labelled images for the k-NN score during training.

    Attributes:
        images: Images to train on; their labels are not used.
        bank: Labelled images that vote in k-NN; None if there are none.
        queries: Labelled images to classify by k-NN, of the same classes.
        left_out: Number of files beside the images that were not taken, by suffix.
    """

    images: ImageSet
    bank: ImageSet | None = None
    queries: ImageSet | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)


def list_pretrain_data(
    spec: str, class_list: Path | None = None, *, allow_partial: bool = False
) -> PretrainData:
    """Lists the images that `--dataset` names.

    A dataset of the catalogue provides its training part (base or train). A folder provides its
    `pretext` sub-folder if there is one (with `train` and `val` for k-NN), else its training part
    if it is divided into parts, else all images under it.

    Args:
        spec: NAME, NAME:DIVISION, folder:PATH, csv:FILE, or the path of a folder.
        class_list: File with one class folder per line, or the name of a published list; only
            images under these are used.
        allow_partial: Allow incomplete datasets.

    Raises:
        UnknownNameError: If there is no such dataset.
        InputError: If it has no part to train on, or crops images to boxes.
        DataError: If there is no such folder, no image, or no image of a listed class.
    """
    folder = _folder(spec)
    data = _from_folder(folder) if folder else _from_dataset(spec, allow_partial)
    if class_list is None:
        return data
    return replace(data, images=_restrict(data.images, read_class_list(class_list)))


def _folder(spec: str) -> Path | None:
    kind, separator, rest = spec.partition(":")
    if kind == "folder" and separator:
        return expanded(rest)
    path = expanded(spec)
    return path if path.is_dir() and len(path.parts) > 1 else None


def _from_dataset(spec: str, allow_partial: bool) -> PretrainData:
    opened = open_dataset(spec, allow_partial=allow_partial)
    train_part = opened.division.train_part
    if train_part is None:
        raise InputError(
            f"{opened.name} has no part to train on: all of its images are evaluated",
            "Give --dataset NAME:DIVISION with a training part, or folder:PATH.",
        )
    if opened.load(train_part).boxes:
        raise InputError(
            f"{opened.name} crops images to boxes, and pretraining takes whole images",
            "Name a division, or a table, without boxes.",
        )
    has_val = VALIDATION in opened.division.parts[1:] and opened.division.kind == "classes"
    bank, queries = halves(opened.load(VALIDATION)) if has_val else (None, None)
    return PretrainData(opened.load(train_part), bank, queries)


def _from_folder(root: Path) -> PretrainData:
    if not root.is_dir():
        raise DataError(f"there is no folder {root}", "Give --dataset folder:PATH.")
    refuse_tiny_imagenet(root)
    pretext = next(filter(is_pretext, folders_in(root)), None)
    parts = find_parts(root) or {}
    if pretext:
        data = _walk(root, PRETEXT, pretext)
        if parts.keys() >= {"train", "val"}:
            bank, queries = (_walk(root, part, parts[part]).images for part in ("train", "val"))
            data = replace(data, bank=bank, queries=queries)
        return data
    if not parts:
        return _walk(root, "", "")
    first = next(iter(parts))
    if first == GALLERY:
        raise InputError(
            f"{root} has no part to train on: {parts[GALLERY]}/ is searched, and the last part is "
            "evaluated",
            f"Name one of them: --dataset folder:{root / parts[GALLERY]}",
        )
    data = _walk(root, first, parts[first])
    if VALIDATION in parts:
        bank, queries = halves(_walk(root, VALIDATION, parts[VALIDATION]).images)
        data = replace(data, bank=bank, queries=queries)
    return data


def _walk(root: Path, part: str, folder: str) -> PretrainData:
    """All images under `root/folder`; the class of an image is its folder, relative to that."""
    listing = list_images(root / folder)
    if not listing.images:
        seen = shown_counts(listing.left_out)
        raise DataError(
            f"no images under {root / folder}" + (f": {seen}" if seen else ""),
            f"Looked for {', '.join(sorted(image_suffixes()))}.",
        )
    before = f"{folder}/" if folder else ""
    listed = [
        LabelledPath(before + "/".join(image), "/".join(image[:-1]) or ".")
        for image in sorted(path.split("/") for path in listing.images)
    ]
    images = ImageSet.from_listing(f"folder:{root.name}", part or WHOLE, root, listed)
    return PretrainData(images, left_out=dict(listing.left_out))


def _restrict(images: ImageSet, names: Collection[str]) -> ImageSet:
    listed, found = set(names), set()
    rows = []
    for row, (path, label) in enumerate(zip(images.paths, images.labels, strict=True)):
        if matched := listed & {*path.split("/")[:-1], images.class_names[label]}:
            rows.append(row)
            found |= matched
    if missing := sorted(listed - found):
        raise DataError(
            f"{images.dataset} has no image of {len(missing):,} of the {len(listed):,} listed "
            f"classes: {first_few(missing, _MAX_LISTED)}",
            "Take them out of the list, or add their images. Its classes are: "
            f"{first_few(images.class_names, _MAX_LISTED)}",
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
