"""Tiny-ImageNet: 200 ImageNet classes of 500 train and 50 validation images of 64×64 pixels.

Le & Yang, Tiny ImageNet Visual Recognition Challenge, CS231N, Stanford 2015. The layout is the
authors' own: `train/WNID/images/*.JPEG`, and `val/images/*.JPEG` with `val/val_annotations.txt`;
`val/WNID` is read as well. The test images have no public labels, so that `val` is scored.
"""

from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.folder import class_folders
from lowlabel.datasets.imagenet.folders import LICENCE
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.lists import read_lines
from lowlabel.errors import DataError

_LIST, _IMAGES = "val/val_annotations.txt", "val/images"
_PREPARE = "Prepare it again: lowlabel prepare tiny-imagenet --archive tiny-imagenet-200.zip"


def _read(root: Path, part: str) -> list[LabelledPath]:
    if part == "train" or not (root / _IMAGES).is_dir():
        return class_folders(root, part)
    rows = [line.split() for line in read_lines(root / _LIST, _PREPARE)]
    if any(len(row) < 2 for row in rows):
        raise DataError(f"{root / _LIST} does not have rows of a file and its class", _PREPARE)
    return [LabelledPath(f"{_IMAGES}/{name}", wnid) for name, wnid, *_ in rows]


TINY_IMAGENET = Dataset(
    name="tiny-imagenet",
    title="Tiny-ImageNet",
    licence=LICENCE,
    source="Le & Yang, Tiny ImageNet Visual Recognition Challenge, CS231N, Stanford 2015; "
    "Russakovsky et al., IJCV 2015",
    obtain="tiny-imagenet-200.zip from http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    marker="wnids.txt",
    other_markers=(_LIST,),
    divisions=(
        Division(
            "cs231n",
            ("train", "val"),
            _read,
            {"train": Counts(100_000, 200), "val": Counts(10_000, 200)},
            shared_classes=True,
        ),
    ),
)
