"""`demo`: a procedural dataset, generated in seconds and cached, to try lowlabel offline.

100 classes (64 base, 16 validation, 20 novel) of 40 images of 64×64 pixels. `classification`
divides the images of the validation and novel classes, which `demo_vit` was not trained on.
"""

from pathlib import Path, PurePosixPath

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.demo.render import DEMO_VERSION, write_demo
from lowlabel.datasets.folder import class_folders, divided
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.progress import Progress


def _make(folder: Path, progress: Progress | None) -> None:
    write_demo(folder, progress)


_NUMBERS = {"train": range(20), "val": range(20, 28), "test": range(28, 40)}


def _by_image(root: Path, part: str) -> list[LabelledPath]:
    """Pictures are drawn independently of their numbers, so that these divide them."""
    images = (*class_folders(root, "novel"), *class_folders(root, "val"))
    numbers = _NUMBERS[part]
    return [image for image in images if int(PurePosixPath(image.path).stem) in numbers]


_BY_CLASS = divided(
    ("base", "val", "novel"),
    "demo",
    {"base": Counts(2_560, 64), "val": Counts(640, 16), "novel": Counts(800, 20)},
)
_BY_IMAGE = Division(
    "classification",
    tuple(_NUMBERS),
    _by_image,
    {part: Counts(36 * len(numbers), 36) for part, numbers in _NUMBERS.items()},
    shared_classes=True,
)

DEMO = Dataset(
    name="demo",
    title="Demo",
    licence="Apache-2.0, like lowlabel",
    source="drawn by lowlabel",
    obtain="generated on first use",
    marker="novel",
    divisions=(_BY_CLASS, _BY_IMAGE),
    make=_make,
    version=DEMO_VERSION,
)
