"""mini-ImageNet: 100 ImageNet classes of 600 images (Vinyals et al., NeurIPS 2016).

`ravi` is the division of Ravi & Larochelle (ICLR 2017): 64 base, 16 validation and 20 novel
classes. Read from the published 84-pixel images (`images/` with `train.csv`, `val.csv`,
`test.csv`) or, by the original file names, from a folder of ILSVRC2012 training images.
"""

import csv
from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.imagenet import LICENCE, OBTAIN, images_of_class
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.splits import split_list
from lowlabel.errors import DataError

_LISTS = {"base": "train.csv", "val": "val.csv", "novel": "test.csv"}
_CLASS_FOLDER = "n01930112"  # of the ILSVRC2012 training images


def _read(root: Path, part: str) -> list[LabelledPath]:
    if (root / _LISTS["novel"]).is_file():
        return _small_images(root, root / _LISTS[part])
    return [
        image
        for row in split_list("mini_imagenet")
        if row["part"] == part
        for image in images_of_class(root, row["wnid"], row["images"].split())
    ]


def _small_images(root: Path, listing: Path) -> list[LabelledPath]:
    """Reads Ravi's list: a row `filename,label` for each file under `images/`."""
    try:
        with listing.open(newline="") as file:
            images = [
                LabelledPath(f"images/{row['filename']}", row["label"])
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise DataError(
            f"{listing} is not a mini-ImageNet list of rows filename,label: {error!r}",
            "Prepare it again: lowlabel prepare mini-imagenet --archive FILE",
        ) from error
    present = {f"images/{path.name}" for path in (root / "images").iterdir()}
    return [image for image in images if image.path in present]


MINI_IMAGENET = Dataset(
    name="mini-imagenet",
    title="mini-ImageNet",
    licence=LICENCE,
    source="Vinyals et al., NeurIPS 2016, arXiv:1606.04080; Ravi & Larochelle, ICLR 2017; "
    "Russakovsky et al., IJCV 2015",
    obtain=f"the 84-pixel images with train.csv, val.csv and test.csv of "
    f"https://github.com/twitter-research/meta-learning-lstm, or {OBTAIN}",
    marker=_LISTS["novel"],
    other_markers=(_CLASS_FOLDER,),
    divisions=(
        Division(
            "ravi",
            ("base", "val", "novel"),
            _read,
            {"base": Counts(38_400, 64), "val": Counts(9_600, 16), "novel": Counts(12_000, 20)},
        ),
    ),
)
