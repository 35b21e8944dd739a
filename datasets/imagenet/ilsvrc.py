"""ImageNet-1k: the classification images of ILSVRC2012 (Russakovsky et al., IJCV 2015).

arXiv:1409.0575. 1,281,167 train and 50,000 validation images of 1,000 classes; the test images have
no public labels, so that `val` is scored. Train images are read from `train/WNID`, validation
images from `val/WNID` or from one folder with a list of their classes, in the folders of the
archives or of Kaggle (`ILSVRC/Data/CLS-LOC`).
"""

from itertools import chain
from pathlib import Path

from lowlabel.datasets.base import Dataset, Division, OtherDataset
from lowlabel.datasets.imagenet.folders import LICENCE, images_in, wnid_folders
from lowlabel.datasets.imagenet.validation import HINT, is_validation, validation_classes
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.listing import folders_in
from lowlabel.datasets.parts import VAL, part_called
from lowlabel.errors import DataError

_WNIDS = "n[01]???????"
_KAGGLE = ("Data/CLS-LOC/", "ILSVRC/Data/CLS-LOC/")
_TOPS = ("", *_KAGGLE, *(f"*/{top}" for top in ("", *_KAGGLE)))
_MARKERS = (*(f"{top}train/{_WNIDS}" for top in _TOPS), _WNIDS)


def _read(root: Path, part: str) -> list[LabelledPath]:
    train = _train_folder(root)
    if part == "train":
        return _in_class_folders(root, train)
    folder = _validation_folder(root, train)
    if folder != train and wnid_folders(folder):
        return _in_class_folders(root, folder)
    classes = validation_classes(root, folder)
    found = {Path(name).stem: name for name in images_in(folder) if is_validation(name)}
    if unlisted := sorted(found.keys() - classes.keys()):
        raise DataError(
            f"{len(unlisted):,} of the {len(found):,} validation images in {folder} have no class "
            f"in the list of them, the first is {found[unlisted[0]]}",
            HINT,
        )
    return [
        LabelledPath(f"{_inside(root, folder)}{found.get(stem, f'{stem}.JPEG')}", wnid)
        for stem, wnid in sorted(classes.items())
    ]


def _in_class_folders(root: Path, folder: Path) -> list[LabelledPath]:
    before = _inside(root, folder)
    return [
        LabelledPath(before + image, wnid)
        for wnid in wnid_folders(folder)
        for image in images_in(folder, wnid)
    ]


def _train_folder(root: Path) -> Path:
    for marker in _MARKERS:
        if found := next(root.glob(marker), None):
            return found.parent
    raise DataError(
        f"{root} holds no folder train/ of class folders {_WNIDS}",
        f"Get {IMAGENET_1K.obtain}. Then: lowlabel prepare imagenet --archive FILE",
    )


def _validation_folder(root: Path, train: Path) -> Path:
    """The folder of validation images: beside train/, in the root, or the root itself."""
    for place in dict.fromkeys((train.parent, root)):
        if place.is_relative_to(root):
            for name in folders_in(place):
                if part_called(name) == VAL:
                    return place / name
    flat = chain(root.glob("*_val_*.JPEG"), root.glob("*/*_val_*.JPEG"))
    if found := next(flat, None):
        return found.parent
    raise DataError(
        f"{root} holds no validation images: neither a folder val/ nor ILSVRC2012_val_*.JPEG",
        f"Give them beside the train images. {HINT}",
    )


def _inside(root: Path, folder: Path) -> str:
    """The path of `folder` as a prefix of paths relative to the root."""
    return "" if folder == root else f"{folder.relative_to(root).as_posix()}/"


IMAGENET_1K = Dataset(
    name="imagenet",
    title="ImageNet-1k",
    licence=LICENCE,
    source="Russakovsky et al., IJCV 2015, arXiv:1409.0575",
    obtain="ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz from "
    "https://image-net.org, or a folder with train/WNID and val/WNID",
    marker=_MARKERS[0],
    other_markers=_MARKERS[1:],
    divisions=(
        Division(
            "ilsvrc2012",
            ("train", "val"),
            _read,
            {"train": Counts(1_281_167, 1_000), "val": Counts(50_000, 1_000)},
            shared_classes=True,
        ),
    ),
    others=(
        OtherDataset(
            "Tiny-ImageNet",
            ("wnids.txt", "val/val_annotations.txt"),
            "Prepare it under its name: lowlabel prepare tiny-imagenet --archive FILE",
        ),
    ),
)
