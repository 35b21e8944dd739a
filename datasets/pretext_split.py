"""`pretext/`, `train/` and `val/` from any labelled set: pretraining without labels, then few.

The folders are those of a project on ships, which pretrains on images of many classes and scores
frozen features and networks trained from labels on some of them.
"""

import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lowlabel.datasets.catalogue import OpenDataset
from lowlabel.datasets.io.lists import first_few
from lowlabel.datasets.sources.members import container_of
from lowlabel.errors import DataError, InputError
from lowlabel.paths import writable_dir

PRETEXT, TRAIN, VAL = "pretext", "train", "val"
_MOST_NAMED = 5


@dataclass(frozen=True)
class PretextSplit:
    """What was written.

    Attributes:
        folder: The folder, for `folder:PATH`.
        images: Number of images by sub-folder.
        classes: Number of classes by sub-folder; of `pretext` those that its images are of.
    """

    folder: Path
    images: Mapping[str, int]
    classes: Mapping[str, int]

    def __str__(self) -> str:
        parts = ((name, self.images[name], self.classes[name]) for name in self.images)
        return ", ".join(f"{name} {n:,} images of {c:,} classes" for name, n, c in parts)


@dataclass(frozen=True)
class _Image:
    path: Path
    name: str
    class_name: str


def write_pretext_split(
    opened: OpenDataset,
    folder: Path,
    *,
    pretext_without: Collection[str] = (),
    evaluation_without: Collection[str] = (),
    validation_share: float = 0.2,
    seed: int = 0,
) -> PretextSplit:
    """Links the images of a labelled set as `pretext/*`, `train/CLASS/*` and `val/CLASS/*`.

    `val` is the evaluated part of a division whose parts share their classes. Of other divisions,
    all parts are joined, and `val` is a share of each class, at least one image. `pretext` holds
    the other images without their labels, and `train` those of the evaluated classes: no image of
    `val` is in either.

    Args:
        opened: The set.
        folder: Where to write; must not exist or be empty.
        pretext_without: Classes that `pretext` leaves out.
        evaluation_without: Classes that `train` and `val` leave out.
        validation_share: Share of each class in `val`.
        seed: Random seed of that share.

    Raises:
        DataError: If the folder holds something, or a class is not in the set.
        InputError: If images are cropped to boxes, a class has a single image, or fewer than two
            classes stay.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is not empty", "Give --pretext-split a new folder.")
    if not 0 < validation_share < 1:
        raise InputError(f"the share of val must lie between 0 and 1, not {validation_share}")
    learned, scored = _parts(opened, validation_share, seed)
    known = {image.class_name for image in (*learned, *scored)}
    for names in (pretext_without, evaluation_without):
        if unknown := sorted({*names} - known):
            raise DataError(
                f"{len(unknown):,} classes to leave out are not in {opened.name}: "
                f"{first_few(unknown, _MOST_NAMED)}",
                f"Its {len(known):,} classes: {first_few(sorted(known), _MOST_NAMED)}",
            )
    split = {
        PRETEXT: [i for i in learned if i.class_name not in pretext_without],
        TRAIN: [i for i in learned if i.class_name not in evaluation_without],
        VAL: [i for i in scored if i.class_name not in evaluation_without],
    }
    classes = {name: len({image.class_name for image in part}) for name, part in split.items()}
    if not split[PRETEXT] or min(classes[TRAIN], classes[VAL]) < 2:
        raise InputError(
            f"{classes[PRETEXT]} classes would stay for pretext and {classes[VAL]} for val: at "
            "least 1 and 2 are needed",
            "Leave fewer classes out.",
        )
    _write(split, folder)
    return PretextSplit(folder, {name: len(part) for name, part in split.items()}, classes)


def _parts(opened: OpenDataset, share: float, seed: int) -> tuple[list[_Image], list[_Image]]:
    """Images to learn from, and images to score."""
    division = opened.division
    if division.kind != "classes":
        raise InputError(f"{opened.name} has no classes", "Name a dataset of classes.")
    if division.shared_classes and division.train_part:
        scored = [*_images(opened, division.evaluated)]
        others = (part for part in division.parts if part != division.evaluated)
        return [image for part in others for image in _images(opened, part)], scored
    by_class: dict[str, list[_Image]] = {}
    for part in division.parts:
        for image in _images(opened, part):
            by_class.setdefault(image.class_name, []).append(image)
    learned: list[_Image] = []
    scored = []
    rng = np.random.default_rng(seed)
    for name, images in sorted(by_class.items()):
        if len(images) < 2:
            raise InputError(
                f"class {name} of {opened.name} has one image, which cannot be learned and scored",
                "Leave it out of the set.",
            )
        count = min(max(round(len(images) * share), 1), len(images) - 1)
        chosen = {*rng.permutation(len(images))[:count].tolist()}
        scored += [image for row, image in enumerate(images) if row in chosen]
        learned += [image for row, image in enumerate(images) if row not in chosen]
    return learned, scored


def _images(opened: OpenDataset, part: str) -> Iterator[_Image]:
    images = opened.load(part)
    if images.boxes:
        raise InputError(
            f"{opened.name} crops images to boxes, which folders cannot say",
            "Name another division: NAME:DIVISION.",
        )
    if holder := container_of(images.root / images.paths[0]):
        raise InputError(
            f"the images of {opened.name} lie in {holder}, and links lead to files alone",
            "Unpack them into class folders, and name those: folder:PATH.",
        )
    for path, label in zip(images.paths, images.labels.tolist(), strict=True):
        yield _Image(images.root / path, path.replace("/", "__"), images.class_names[label])


def _write(split: Mapping[str, list[_Image]], folder: Path) -> None:
    """Links the images in a folder beside it, which then takes its name."""
    staging = folder.with_name(folder.name + ".partial")
    shutil.rmtree(staging, ignore_errors=True)
    writable_dir(staging)
    for part, images in split.items():
        for image in images:
            below = staging / part
            if part != PRETEXT:
                below = below / image.class_name.replace("/", "__")
            below.mkdir(parents=True, exist_ok=True)
            (below / image.name).symlink_to(image.path.resolve())
    if folder.exists():
        folder.rmdir()
    staging.rename(folder)
