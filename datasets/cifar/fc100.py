"""FC100: CIFAR-100 divided by super-class (Oreshkin et al., NeurIPS 2018, arXiv:1805.10123).

60 base, 20 validation and 20 novel classes of 600 images of 32×32 pixels; no super-class has
classes in two parts. Read from class folders (`train/`, `val/`, `test/`) or from the published
pickles, which `prepare` turns into image files.
"""

from pathlib import Path

import numpy as np

from lowlabel.datasets.base import Conversion, Dataset, Division, OtherDataset
from lowlabel.datasets.folder import class_folders
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.array_files import write_images
from lowlabel.datasets.io.pickles import read_pickle
from lowlabel.errors import DataError
from lowlabel.progress import Progress

_FOLDERS = {"base": "train", "val": "val", "novel": "test"}
_CIFAR_CLASSES = 100
_REFETCH = "Fetch FC100.zip again, then: lowlabel prepare fc100 --archive FC100.zip"


def _read(root: Path, part: str) -> list[LabelledPath]:
    return class_folders(root, _FOLDERS[part])


def _pickle(name: str) -> str:
    return f"FC100_{name}.pickle"


def _from_pickles(origin: Path, folder: Path, progress: Progress | None) -> None:
    """Reads `data`, uint8 [N, 32, 32, 3], and `labels`, CIFAR-100's fine labels [N]."""
    names = [f"{label:02d}" for label in range(_CIFAR_CLASSES)]
    for name in _FOLDERS.values():
        content = read_pickle(origin / _pickle(name))
        try:
            images = np.asarray(content["data"], np.uint8)
            labels = np.asarray(content["labels"], np.int64).tolist()
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{origin / _pickle(name)} does not hold the arrays data and labels: {error!r}",
                _REFETCH,
            ) from error
        if images.ndim != 4 or images.shape[-1] != 3:
            raise DataError(
                f"{origin / _pickle(name)} holds data of shape {images.shape}, not [N, H, W, 3]",
                _REFETCH,
            )
        write_images(folder / name, images, labels, names, progress)


FC100 = Dataset(
    name="fc100",
    title="FC100",
    licence="none stated (research use; drawn from 80 Million Tiny Images)",
    source="Oreshkin et al., NeurIPS 2018, arXiv:1805.10123; Krizhevsky 2009",
    obtain="FC100.zip (FC100_train.pickle and two more), linked from "
    "https://github.com/kjunelee/MetaOptNet",
    marker="test",
    divisions=(
        Division(
            "oreshkin",
            ("base", "val", "novel"),
            _read,
            {"base": Counts(36_000, 60), "val": Counts(12_000, 20), "novel": Counts(12_000, 20)},
        ),
    ),
    conversions=(Conversion(tuple(map(_pickle, _FOLDERS.values())), _from_pickles),),
    others=(
        OtherDataset(
            "CIFAR-FS",
            ("splits/bertinetto/test.txt",),
            "Prepare it under its name: lowlabel prepare cifar-fs --archive FILE",
        ),
        OtherDataset(
            "mini-ImageNet",
            ("test/n01930112",),
            "Prepare it under its name: lowlabel prepare mini-imagenet --archive FILE",
        ),
    ),
)
