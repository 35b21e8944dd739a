"""Omniglot: 1,623 handwritten characters of 50 alphabets, 20 drawings each.

Lake et al., Human-level concept learning through probabilistic program induction, Science 2015.
`lake` is the authors' own division by alphabet: 964 base and 659 novel characters. The drawings
are black on white with one channel, which becomes three when they are read.
"""

from pathlib import Path

from lowlabel.datasets.base import Conversion, Dataset, Division
from lowlabel.datasets.folder import class_folders
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.archives import unpack
from lowlabel.progress import Progress

_FOLDERS = {"base": "images_background", "novel": "images_evaluation"}


def _read(root: Path, part: str) -> list[LabelledPath]:
    images = class_folders(root, _FOLDERS[part])
    return [LabelledPath(path, path.split("/", 1)[1].rpartition("/")[0]) for path, *_ in images]


def _unpack_both(origin: Path, folder: Path, progress: Progress | None) -> None:
    for name in _FOLDERS.values():
        unpack(origin / f"{name}.zip", folder, progress)


OMNIGLOT = Dataset(
    name="omniglot",
    title="Omniglot",
    licence="MIT",
    source="Lake et al., Science 350, 2015",
    obtain="the repository https://github.com/brendenlake/omniglot as an archive, or a folder "
    "with its images_background.zip and images_evaluation.zip",
    marker=_FOLDERS["novel"],
    divisions=(
        Division(
            "lake",
            ("base", "novel"),
            _read,
            {"base": Counts(19_280, 964), "novel": Counts(13_180, 659)},
        ),
    ),
    conversions=(Conversion(tuple(f"{name}.zip" for name in _FOLDERS.values()), _unpack_both),),
)
