"""Turns the pickles and parquet files in which mini-ImageNet is handed out into class folders."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from lowlabel.datasets.imagenet.folders import is_original, wnid_in
from lowlabel.datasets.imagenet.members import check_members, members, require_members
from lowlabel.datasets.io.array_files import Pixels, write_image
from lowlabel.datasets.io.parquet import ParquetImages, open_parquet
from lowlabel.datasets.io.pickles import read_pickle
from lowlabel.errors import DataError
from lowlabel.progress import Progress

FOLDER = "by-class"
PICKLES = (
    tuple(f"mini-imagenet-cache-{name}.pkl" for name in ("train", "val", "test")),
    tuple(
        f"miniImageNet_category_split_{name}.pickle"
        for name in ("train_phase_train", "val", "test")
    ),
)
PARQUET = ("data/*.parquet", "train/*.parquet", "*.parquet")
_PARTS = ("base", "val", "novel")
_REFETCH = "Fetch it again, then: lowlabel prepare mini-imagenet --archive FILE"
_Image = tuple[str, bytes | Pixels]  # its class and its content


def from_pickles(origin: Path, folder: Path, progress: Progress | None) -> None:
    """Reads one pickle for each part; needs memory for one of them.

    The cache of Ren et al. has `image_data`, uint8 [N, H, W, 3] in RGB, and `class_dict`, the rows
    of each class; the files of Gidaris & Komodakis have `data`, `labels` and `catname2label`.
    """
    names = next(names for names in PICKLES if all((origin / name).is_file() for name in names))
    for part, name in zip(_PARTS, names, strict=True):
        path = origin / name
        images, wnids = _arrays(path)
        check_members(wnids, str(path), part)
        _write(folder, zip(wnids, images, strict=True), len(wnids), progress)


def _arrays(path: Path) -> tuple[Pixels, list[str]]:
    """The images of a pickle, and the class of each."""
    content = read_pickle(path)
    try:
        if "class_dict" in content:
            images = np.asarray(content["image_data"])
            wnids = [""] * len(images)
            for wnid, rows in content["class_dict"].items():
                for row in np.asarray(rows, np.int64).tolist():
                    wnids[row] = str(wnid)
        else:
            images = np.asarray(content["data"])
            by_label = {int(label): str(name) for name, label in content["catname2label"].items()}
            wnids = [by_label[label] for label in np.asarray(content["labels"], np.int64).tolist()]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path} is no known pickle of mini-ImageNet: {error!r}",
            "Expected are image_data and class_dict, or data, labels and catname2label. "
            + _REFETCH,
        ) from error
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise DataError(
            f"{path} holds images as {images.dtype} {images.shape}, not as uint8 [N, H, W, 3]",
            _REFETCH,
        )
    if len(images) != len(wnids) or "" in wnids:
        raise DataError(
            f"{path} has {len(images):,} images and classes for {len(wnids) - wnids.count(''):,}",
            _REFETCH,
        )
    return images, wnids


def from_parquet(origin: Path, folder: Path, progress: Progress | None) -> None:
    """Reads `image` (bytes of a PNG or JPEG file) and `label` of every parquet file.

    The class says which part an image belongs to: it is named by the label, or by the image's path.
    Images with original names are taken if mini-ImageNet's lists name them.

    Raises:
        DataError: If pyarrow is missing, or the files hold something else.
    """
    paths = sorted((*origin.glob("*.parquet"), *origin.glob("*/*.parquet")))
    with open_parquet(paths, refetch=_REFETCH) as files:
        images = (image for file in files for image in _rows(file))
        _write(folder, images, sum(file.images for file in files), progress)


def _rows(file: ParquetImages) -> Iterator[_Image]:
    names = file.class_names if all(wnid_in(name) == name for name in file.class_names) else []
    require_members(names, str(file.path))
    for content, name, label in file.rows():
        wnid = _class_of(file.path, label, name, names)
        if not is_original(name) or _is_listed(name, wnid):
            yield wnid, content


def _class_of(path: Path, label: object, name: str, names: list[str]) -> str:
    if isinstance(label, int) and 0 <= label < len(names):
        return names[label]
    wnid = wnid_in(str(label)) or wnid_in(name)
    if wnid is None:
        raise DataError(
            f"{path} does not say which ImageNet classes its labels stand for: the label {label!r} "
            "has no WordNet id",
            "Get a distribution that names its classes; they decide the part of each image.",
        )
    require_members([wnid], str(path))
    return wnid


def _is_listed(name: str, wnid: str) -> bool:
    start, _, number = PurePosixPath(name).stem.partition("_")
    return start == wnid and number in members()[wnid].numbers


def _write(folder: Path, images: Iterable[_Image], total: int, progress: Progress | None) -> None:
    """Writes `folder/by-class/PART/WNID/INDEX`, where INDEX counts the images of the class."""
    counts: Counter[str] = Counter()
    for done, (wnid, image) in enumerate(images, start=1):
        place = folder / FOLDER / members()[wnid].part / wnid
        if not counts[wnid]:
            place.mkdir(parents=True, exist_ok=True)
        write_image(image, place / f"{counts[wnid]:04d}")
        counts[wnid] += 1
        if progress:
            progress(done, total)
