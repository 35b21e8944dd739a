"""The classes of ImageNet's validation images, from the lists in which they are handed out."""

import csv
import re
from itertools import chain
from pathlib import Path, PurePosixPath

import numpy as np

from lowlabel.datasets.imagenet.folders import wnid_in
from lowlabel.datasets.io.lists import read_lines
from lowlabel.datasets.io.mat import read_mat
from lowlabel.datasets.splits import imagenet_classes
from lowlabel.errors import DataError
from lowlabel.reading import reading

HINT = (
    "Add their list: lowlabel prepare imagenet --archive FOLDER --archive "
    "ILSVRC2012_devkit_t12.tar.gz (or LOC_val_solution.csv, or val.txt)"
)
_KAGGLE, _NAMES, _TRUTH, _META = (
    "LOC_val_solution.csv",
    "val.txt",
    "ILSVRC2012_validation_ground_truth.txt",
    "meta.mat",
)
_ORDERS = ("synsets.txt", "LOC_synset_mapping.txt")
_DEPTHS = ("", "*/", "*/*/")
_VALIDATION = re.compile(r"ILSVRC2012_val_\d{8}")


def is_validation(name: str) -> bool:
    """Whether a file has the name of a validation image."""
    return _VALIDATION.match(PurePosixPath(name).name) is not None


def validation_classes(root: Path, folder: Path) -> dict[str, str]:
    """Reads the WordNet id of each validation image, by its name without suffix.

    Known are Kaggle's `LOC_val_solution.csv`; the development kit's
    `ILSVRC2012_validation_ground_truth.txt` with `meta.mat`; and `val.txt` with lines `NAME WNID`
    or `NAME NUMBER`, where NUMBER counts from 0 in the order of `synsets.txt`, else in alphabetical
    order. The first that is there is read.

    Args:
        root: Folder to look for the lists in, up to two levels below it.
        folder: Folder of the validation images, to look in and beside, too.

    Raises:
        DataError: If there is no list, or it cannot be read.
    """
    kaggle, names, truth, meta = (
        _find(root, folder, name) for name in (_KAGGLE, _NAMES, _TRUTH, _META)
    )
    if kaggle:
        return _from_kaggle(kaggle)
    if truth and meta:
        return _from_truth(truth, meta)
    if names:
        return _from_names(names, _find(root, folder, *_ORDERS))
    if truth:
        raise DataError(f"{truth} numbers the classes by {_META}, which is not there", HINT)
    raise DataError(
        f"the validation images in {folder} lie in no class folders, and no list says their "
        f"classes: there is no {_KAGGLE}, {_TRUTH} or {_NAMES} in {root} or up to two levels below",
        HINT,
    )


def _find(root: Path, folder: Path, *names: str) -> Path | None:
    """The first file of one of these names: with the images, beside their folder, or elsewhere."""
    tops = dict.fromkeys(top for top in (folder.parent, root) if top.is_relative_to(root))
    places = chain(
        (folder / name for name in names),
        *(top.glob(depth + name) for top in tops for depth in _DEPTHS for name in names),
    )
    return next(filter(Path.is_file, places), None)


def _from_kaggle(path: Path) -> dict[str, str]:
    """Reads rows `ImageId,PredictionString`, where the string is `WNID left top right bottom …`."""
    try:
        rows = list(csv.DictReader(read_lines(path, HINT)))
        return {row["ImageId"]: _wnid(row["PredictionString"].split()[0], path) for row in rows}
    except (KeyError, IndexError, AttributeError) as error:
        raise DataError(
            f"{path} does not have rows ImageId,PredictionString: {error!r}", HINT
        ) from error


def _from_names(path: Path, order: Path | None) -> dict[str, str]:
    pairs = [line.split() for line in read_lines(path, HINT)]
    if any(len(pair) != 2 for pair in pairs):
        wrong = next(pair for pair in pairs if len(pair) != 2)
        raise DataError(f"{path} has the line {' '.join(wrong)!r}, not a name and a class", HINT)
    names = [PurePosixPath(name).stem for name, _ in pairs]
    classes = [label for _, label in pairs]
    if not all(label.isdecimal() for label in classes):
        return {name: _wnid(label, path) for name, label in zip(names, classes, strict=True)}
    if order:
        wnids = [_wnid(line.split()[0], order) for line in read_lines(order, HINT)]
    else:
        wnids = imagenet_classes()
    numbers = list(map(int, classes))
    if max(numbers) >= len(wnids):
        raise DataError(
            f"{path} has the number {max(numbers):,}, and there are {len(wnids):,} classes, from 0 "
            "on: it does not number classes (Kaggle's ImageSets/CLS-LOC/val.txt counts images)",
            HINT,
        )
    return {name: wnids[number] for name, number in zip(names, numbers, strict=True)}


def _from_truth(path: Path, meta: Path) -> dict[str, str]:
    """Line N has the `ILSVRC2012_ID` of image N, counted from 1."""
    wnids = _meta(meta)
    try:
        numbers = [int(line) for line in read_lines(path, HINT)]
        return {
            f"ILSVRC2012_val_{image:08d}": wnids[number]
            for image, number in enumerate(numbers, start=1)
        }
    except (ValueError, KeyError) as error:
        raise DataError(f"{path} does not hold class numbers of {meta}: {error}", HINT) from error


def _meta(path: Path) -> dict[int, str]:
    """WordNet ids by ILSVRC2012_ID; nothing in the file is executed."""
    problem = f"cannot read the classes in {path}"
    synsets = read_mat(path, ("synsets",), problem, HINT)["synsets"]
    with reading(path, problem, HINT):
        rows = np.atleast_1d(synsets)
        return {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in rows}


def _wnid(text: str, path: Path) -> str:
    if wnid_in(text) != text:
        raise DataError(f"{path} gives the class {text!r}, which is no WordNet id", HINT)
    return text
