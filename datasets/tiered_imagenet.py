"""tiered-ImageNet: 608 ImageNet classes of 34 categories (Ren et al., ICLR 2018, arXiv:1803.00676).

`ren` divides by category, so that no novel class is near a base class: 351 base, 97 validation
and 160 novel classes. It is read from a folder of ILSVRC2012 training images, or from the
published 84-pixel arrays, which `prepare` turns into image files.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lowlabel.datasets.base import Conversion, Counts, Dataset, Division, LabelledPath
from lowlabel.datasets.folder import class_folders
from lowlabel.datasets.imagenet import LICENCE, OBTAIN, images_of_class
from lowlabel.datasets.io.array_files import Pixels, npz_images, write_images
from lowlabel.datasets.io.pickles import read_pickle
from lowlabel.datasets.split_lists import split_list
from lowlabel.errors import DataError
from lowlabel.progress import Progress

_NAMES = {"base": "train", "val": "val", "novel": "test"}
_SOME_CLASS = "n03314780"
_SMALL = "84px"


def _read(root: Path, part: str) -> list[LabelledPath]:
    if (root / _SMALL).is_dir():
        return class_folders(root, f"{_SMALL}/{part}")
    return [
        image
        for row in split_list("tiered_imagenet")
        if row["part"] == part
        for image in images_of_class(root, row["wnid"])
    ]


def _from_pickles(origin: Path, folder: Path, progress: Progress | None) -> None:
    """`*_images_png.pkl`: lists of PNG files' bytes. A whole list is read into memory."""
    for part, name in _NAMES.items():
        images = (
            np.asarray(image, np.uint8).tobytes()
            for image in read_pickle(origin / f"{name}_images_png.pkl")
        )
        _write_part(origin, folder, part, images, progress)


def _from_npz(origin: Path, folder: Path, progress: Progress | None) -> None:
    """`*_images.npz`: what the authors' code decodes the PNG files to, channels in BGR order."""
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
        raise DataError(f"{path} lacks label_specific or label_specific_str") from error
    write_images(folder / _SMALL / part, images, labels, names, progress)


def _arrays(images: str) -> tuple[str, ...]:
    return tuple(f"{name}_{what}" for name in _NAMES.values() for what in (images, "labels.pkl"))


TIERED_IMAGENET = Dataset(
    name="tiered-imagenet",
    title="tiered-ImageNet",
    licence=LICENCE,
    source="Ren et al., ICLR 2018, arXiv:1803.00676; Russakovsky et al., IJCV 2015",
    obtain="tiered-imagenet.tar (84 pixels) of https://github.com/renmengye/few-shot-ssl-public, "
    f"or {OBTAIN}",
    marker=_SOME_CLASS,
    other_markers=(_SMALL,),
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
        Conversion(_arrays("images_png.pkl"), _from_pickles),
        Conversion(_arrays("images.npz"), _from_npz),
    ),
)
