"""`demo-copies`: pictures and altered copies of them, in the layout of Copydays.

60 originals with two strong copies each, 64×64 pixels. A copy and its original share the first
four characters of their file names.
"""

from pathlib import Path

from PIL import Image

from lowlabel.datasets.base import Dataset
from lowlabel.datasets.copydays import copy_division
from lowlabel.datasets.demo.attacks import attack
from lowlabel.datasets.demo.classes import demo_classes
from lowlabel.datasets.demo.compose import compose
from lowlabel.datasets.demo.draws import Draws, Levels
from lowlabel.datasets.demo.picture import render
from lowlabel.progress import Progress

VERSION = 1
ORIGINALS, COPIES = 60, 2
_STREAM = 7_302  # differs from the streams of the other demo datasets


def write_copies(folder: Path, progress: Progress | None = None) -> None:
    """Draws `folder/original/NNNN00.png` and the copies `folder/strong/NNNN{01,02}.png`.

    Args:
        folder: Where to write.
        progress: Called with (images done, all images).
    """
    kinds = demo_classes()
    for number in range(ORIGINALS):
        draws = Draws(_STREAM, VERSION, number)
        original: Levels = render(compose(draws.choice(kinds), draws))
        _save(original, folder / "original" / f"{1000 + number}00.png")
        for copy in range(1, COPIES + 1):
            altered = attack(original, Draws(_STREAM, VERSION, number, copy))
            _save(altered, folder / "strong" / f"{1000 + number}{copy:02d}.png")
        if progress is not None:
            progress((number + 1) * (1 + COPIES), ORIGINALS * (1 + COPIES))


def _save(levels: Levels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path, compress_level=0)


DEMO_COPIES = Dataset(
    name="demo-copies",
    title="Demo copies",
    licence="Apache-2.0, like lowlabel",
    source="drawn by lowlabel",
    obtain="generated on first use",
    marker="strong",
    divisions=(copy_division(ORIGINALS, ORIGINALS * COPIES),),
    make=write_copies,
    version=VERSION,
)
