"""`demo`: a procedural dataset, generated in seconds and cached, to try lowlabel offline.

100 classes (64 base, 16 validation, 20 novel) of 40 images of 64×64 pixels.
"""

from pathlib import Path

from lowlabel.datasets.base import Dataset
from lowlabel.datasets.demo.render import DEMO_VERSION, write_demo
from lowlabel.datasets.folder import divided
from lowlabel.datasets.images import Counts
from lowlabel.progress import Progress


def _make(folder: Path, progress: Progress | None) -> None:
    write_demo(folder, progress)


_DIVISION = divided(
    ("base", "val", "novel"),
    "demo",
    {"base": Counts(2_560, 64), "val": Counts(640, 16), "novel": Counts(800, 20)},
)

DEMO = Dataset(
    name="demo",
    title="Demo",
    licence="Apache-2.0, like lowlabel",
    source="drawn by lowlabel",
    obtain="generated on first use",
    marker="novel",
    divisions=(_DIVISION,),
    make=_make,
    version=DEMO_VERSION,
)
