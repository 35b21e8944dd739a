"""mini-ImageNet: 100 ImageNet classes of 600 images (Vinyals et al., NeurIPS 2016).

`ravi` is the division of Ravi & Larochelle (ICLR 2017): 64 base, 16 validation and 20 novel
classes. Read from the published 84-pixel images with `train.csv`, `val.csv` and `test.csv`, from
class folders named by WordNet id, or by the original file names from a folder of ILSVRC2012
training images; `prepare` turns pickles and parquet files into class folders.
"""

import csv
from collections import Counter
from pathlib import Path

from lowlabel.datasets.base import Conversion, Dataset, Division, OtherDataset
from lowlabel.datasets.folder import class_folders
from lowlabel.datasets.imagenet import mini_files
from lowlabel.datasets.imagenet.folders import (
    CLASS_FOLDERS,
    LICENCE,
    OBTAIN,
    ClassFolders,
    is_original,
)
from lowlabel.datasets.imagenet.members import check_members, members, require_members
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.listing import list_images
from lowlabel.datasets.io.lists import nested, read_lines
from lowlabel.errors import DataError

_LISTS = {"base": "train.csv", "val": "val.csv", "novel": "test.csv"}
_IMAGENET_CLASSES = 1_000
_PREPARE = "Prepare it again: lowlabel prepare mini-imagenet --archive FILE"


def _read(root: Path, part: str) -> list[LabelledPath]:
    if (root / mini_files.FOLDER).is_dir():
        return class_folders(root, f"{mini_files.FOLDER}/{part}")
    if (root / _LISTS["novel"]).is_file():
        return _by_list(root, part)
    return _by_class(root, part)


def _by_list(root: Path, part: str) -> list[LabelledPath]:
    """Reads Ravi's list: a row `filename,label` for each file under `images/`."""
    path = root / _LISTS[part]
    try:
        rows = [(row["filename"], row["label"]) for row in csv.DictReader(read_lines(path))]
    except KeyError as error:
        raise DataError(
            f"{path} is not a mini-ImageNet list of rows filename,label: it has no {error}",
            _PREPARE,
        ) from error
    check_members({label for _, label in rows}, str(path), part)
    images = nested(root, "images")
    if (root / images).is_dir():
        return [LabelledPath(f"{images}/{name}", label) for name, label in rows]
    places = {image.rpartition("/")[2]: image for image in list_images(root).images}
    return [LabelledPath(places.get(name, f"images/{name}"), label) for name, label in rows]


def _by_class(root: Path, part: str) -> list[LabelledPath]:
    folders = ClassFolders(root)
    listed = {wnid: member for wnid, member in members().items() if member.part == part}
    images = [
        image for wnid, member in listed.items() for image in folders.images(wnid, member.numbers)
    ]
    if not any(is_original(image.path) for image in images):
        require_members(folders.by_wnid, str(root))
    elif len(folders.by_wnid) >= _IMAGENET_CLASSES - 1:
        _refuse_1000_classes(root, images, len(listed))
    return images


def _refuse_1000_classes(root: Path, images: list[LabelledPath], classes: int) -> None:
    """ImageNet-mini has some 35 images of each of 1,000 classes."""
    most = max(Counter(image.class_name for image in images).values())
    if len(images) < 100 * classes and most < 200:
        raise DataError(
            f"{root} holds ImageNet-mini, a sample of ImageNet's 1,000 classes, not mini-ImageNet: "
            f"it has {len(images):,} of the 600 images of each of {classes} classes together",
            f"Get {MINI_IMAGENET.obtain}.",
        )


MINI_IMAGENET = Dataset(
    name="mini-imagenet",
    title="mini-ImageNet",
    licence=LICENCE,
    source="Vinyals et al., NeurIPS 2016, arXiv:1606.04080; Ravi & Larochelle, ICLR 2017; "
    "Russakovsky et al., IJCV 2015",
    obtain=f"the 84-pixel images with train.csv, val.csv and test.csv of "
    f"https://github.com/twitter-research/meta-learning-lstm, or {OBTAIN}",
    marker=_LISTS["novel"],
    other_markers=(*CLASS_FOLDERS, mini_files.FOLDER),
    divisions=(
        Division(
            "ravi",
            ("base", "val", "novel"),
            _read,
            {"base": Counts(38_400, 64), "val": Counts(9_600, 16), "novel": Counts(12_000, 20)},
        ),
    ),
    conversions=(
        *(Conversion(files, mini_files.from_pickles) for files in mini_files.PICKLES),
        *(Conversion((pattern,), mini_files.from_parquet) for pattern in mini_files.PARQUET),
    ),
    others=(
        *(
            OtherDataset(
                "tiered-ImageNet",
                (f"train_{file}", "train_labels.pkl"),
                "Prepare it under its name: lowlabel prepare tiered-imagenet --archive FILE",
            )
            for file in ("images_png.pkl", "images.npz")
        ),
    ),
)
