"""tiered-ImageNet: 608 ImageNet classes of 34 categories (Ren et al., ICLR 2018, arXiv:1803.00676).

`ren` divides by category, so that no novel class is near a base class: 351 base, 97 validation
and 160 novel classes. Read from a folder of ILSVRC2012 training images, or from the published
84-pixel arrays, which `prepare` turns into image files.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lowlabel.datasets.base import Conversion, Dataset, Division, OtherDataset
from lowlabel.datasets.folder import class_folders
from lowlabel.datasets.imagenet.folders import (
    CLASS_FOLDERS,
    LICENCE,
    OBTAIN,
    ClassFolders,
    is_original,
)
from lowlabel.datasets.imagenet.members import members
from lowlabel.datasets.imagenet.mini_files import PICKLES
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.array_files import Pixels, npz_images, write_images
from lowlabel.datasets.io.pickles import read_pickle
from lowlabel.datasets.splits import split_list
from lowlabel.errors import DataError
from lowlabel.progress import Progress

_NAMES = {"base": "train", "val": "val", "novel": "test"}
_SMALL_IMAGES = "84px"
_MINI_LISTS = ("train.csv", "val.csv", "test.csv", "images")


def _read(root: Path, part: str) -> list[LabelledPath]:
    if (root / _SMALL_IMAGES).is_dir():
        return class_folders(root, f"{_SMALL_IMAGES}/{part}")
    folders = ClassFolders(root)
    rows = split_list("tiered_imagenet")
    images = [image for row in rows if row["part"] == part for image in folders.images(row["wnid"])]
    if not any(is_original(image.path) for image in images):
        _refuse_others(root, folders, {row["wnid"] for row in rows})
    return images


def _refuse_others(root: Path, folders: ClassFolders, known: set[str]) -> None:
    if unknown := folders.unknown(known):
        is_mini = folders.by_wnid.keys() <= members().keys()
        raise DataError(
            f"{root} holds {'mini-ImageNet' if is_mini else 'another dataset'}, not "
            f"tiered-ImageNet: {len(unknown):,} of its {len(folders.by_wnid):,} classes are not "
            f"among tiered-ImageNet's 608, such as {unknown[0]}",
            "lowlabel list says where tiered-ImageNet comes from.",
        )


def _from_pickles(origin: Path, folder: Path, progress: Progress | None) -> None:
    """Reads `*_images_png.pkl`, lists of the bytes of PNG files; needs memory for one list."""
    for part, name in _NAMES.items():
        images = (
            np.asarray(image, np.uint8).tobytes()
            for image in read_pickle(origin / f"{name}_images_png.pkl")
        )
        _write_part(origin, folder, part, images, progress)


def _from_npz(origin: Path, folder: Path, progress: Progress | None) -> None:
    """Reads `*_images.npz`, the PNG files as the authors' code decodes them, in BGR order."""
    for part, name in _NAMES.items():
        images = (np.flip(image, -1) for image in npz_images(origin / f"{name}_images.npz"))
        _write_part(origin, folder, part, images, progress)


def _write_part(
    origin: Path,
    folder: Path,
    part: str,
    images: Iterable[bytes | Pixels],
    progress: Progress | None,
) -> None:
    path = origin / f"{_NAMES[part]}_labels.pkl"
    content = read_pickle(path)
    try:
        labels = np.asarray(content["label_specific"], np.int64).tolist()
        names = [str(name) for name in content["label_specific_str"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} does not hold the lists label_specific and label_specific_str: {error!r}",
            "Fetch tiered-imagenet.tar again, then: "
            "lowlabel prepare tiered-imagenet --archive tiered-imagenet.tar",
        ) from error
    write_images(folder / _SMALL_IMAGES / part, images, labels, names, progress)


def _array_files(images: str) -> tuple[str, ...]:
    return tuple(f"{name}_{file}" for name in _NAMES.values() for file in (images, "labels.pkl"))


TIERED_IMAGENET = Dataset(
    name="tiered-imagenet",
    title="tiered-ImageNet",
    licence=LICENCE,
    source="Ren et al., ICLR 2018, arXiv:1803.00676; Russakovsky et al., IJCV 2015",
    obtain="tiered-imagenet.tar (84 pixels) of https://github.com/renmengye/few-shot-ssl-public, "
    f"or {OBTAIN}",
    marker=CLASS_FOLDERS[0],
    other_markers=(*CLASS_FOLDERS[1:], _SMALL_IMAGES),
    divisions=(
        Division(
            "ren",
            ("base", "val", "novel"),
            _read,
            {
                "base": Counts(448_695, 351),
                "val": Counts(124_261, 97),
                "novel": Counts(206_209, 160),
            },
        ),
    ),
    conversions=(
        Conversion(_array_files("images_png.pkl"), _from_pickles),
        Conversion(_array_files("images.npz"), _from_npz),
    ),
    others=(
        *(
            OtherDataset(
                "mini-ImageNet",
                files,
                "Prepare it under its name: lowlabel prepare mini-imagenet --archive FILE",
            )
            for files in (*PICKLES, _MINI_LISTS)
        ),
    ),
)
