"""CIFAR-FS: CIFAR-100 divided for few-shot learning (Bertinetto et al., ICLR 2019).

arXiv:1805.08136. 64 base, 16 validation and 20 novel classes of 600 images of 32×32 pixels.
`novel-images` is lowlabel's own division of the novel classes by image, for classifiers and label
budgets: of each class, 100 images drawn once are test images, and the other 500 train.
"""

from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.folder import class_folders
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.lists import read_lines
from lowlabel.datasets.splits.drawn import drawn
from lowlabel.errors import DataError

_PREPARE = "Prepare it again: lowlabel prepare cifar-fs --archive cifar100.zip"
_TEST_SHARE = 6  # one image of six
_LISTS = {"base": "train", "val": "val", "novel": "test"}


def _read(root: Path, part: str) -> list[LabelledPath]:
    listing = root / "splits" / "bertinetto" / f"{_LISTS[part]}.txt"
    classes = {line.strip() for line in read_lines(listing, _PREPARE)}
    images = [item for item in class_folders(root, "data") if item.class_name in classes]
    missing = classes - {item.class_name for item in images}
    if missing:
        raise DataError(
            f"{len(missing)} of the {len(classes)} classes in {listing} have no images under "
            f"{root / 'data'}: {', '.join(sorted(missing)[:5])}",
            _PREPARE,
        )
    return images


def _read_images(root: Path, part: str) -> list[LabelledPath]:
    """The images of the novel classes that are in a part: a sixth is for testing, 100 of 600."""
    return drawn(_read(root, "novel"), part, _TEST_SHARE)


CIFAR_FS = Dataset(
    name="cifar-fs",
    title="CIFAR-FS",
    licence="none stated (research use; drawn from 80 Million Tiny Images)",
    source="Bertinetto et al., ICLR 2019, arXiv:1805.08136; Krizhevsky 2009",
    obtain="cifar100.zip, linked from https://github.com/bertinetto/r2d2",
    marker="splits/bertinetto/test.txt",
    divisions=(
        Division(
            "bertinetto",
            ("base", "val", "novel"),
            _read,
            {"base": Counts(38_400, 64), "val": Counts(9_600, 16), "novel": Counts(12_000, 20)},
        ),
        Division(
            "novel-images",
            ("train", "test"),
            _read_images,
            {"train": Counts(10_000, 20), "test": Counts(2_000, 20)},
            shared_classes=True,
            title="500 train and 100 test images of each novel class",
        ),
    ),
)
