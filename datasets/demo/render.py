"""Writes the pictures of `demo` as PNG files."""

from functools import partial
from pathlib import Path

from PIL import Image

from lowlabel.datasets.demo.classes import DemoClass, demo_classes
from lowlabel.datasets.demo.compose import compose
from lowlabel.datasets.demo.draws import Draws, Levels
from lowlabel.datasets.demo.picture import render
from lowlabel.processes.forked import map_forked
from lowlabel.progress import Progress

DEMO_VERSION = 2
SIZE = 64


def demo_image(kind: DemoClass, number: int, size: int = SIZE) -> Levels:
    """Renders picture `number` of a class as RGB values, uint8 [size, size, 3]."""
    return render(compose(kind, Draws(DEMO_VERSION, kind.index, number)), size)


def write_demo(
    folder: Path,
    progress: Progress | None = None,
    images_per_class: int = 40,
) -> None:
    """Writes `folder/{base,val,novel}/CLASS/NNN.png`.

    The files are not compressed, so that their sizes do not depend on the version of zlib.

    Args:
        folder: Where to write; created if it does not exist.
        progress: Called with (images done, all images) after each class.
        images_per_class: Number of images of each of the 100 classes; fewer than 40 are the first.
    """
    kinds = demo_classes()
    write = partial(_write_class, folder, images_per_class)
    for done, _ in enumerate(map_forked(write, kinds), start=1):
        if progress is not None:
            progress(done * images_per_class, len(kinds) * images_per_class)


def _write_class(folder: Path, images: int, kind: DemoClass) -> None:
    class_folder = folder / kind.part / kind.name
    class_folder.mkdir(parents=True, exist_ok=True)
    for number in range(images):
        picture = Image.fromarray(demo_image(kind, number))
        picture.save(class_folder / f"{number:03d}.png", compress_level=0)
