"""Reads a split by torchvision's own class, and writes arrays as image files."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lowlabel.datasets.images import LabelledPath
from lowlabel.datasets.io.staging import staged
from lowlabel.datasets.torchvision_sets.declared import Declared
from lowlabel.errors import DataError
from lowlabel.progress import progress_bar
from lowlabel.reading import reading

_GET = "Download it: lowlabel prepare torchvision:{} --download"


def require(name: str, declared: Declared, place: Path) -> None:
    """Raises a `DataError` if a dataset is not there."""
    marker = place / declared.marker
    if not marker.exists():
        raise DataError(
            f"{declared.title} is not here: there is no {marker}",
            f"{_GET.format(name)}\nOr name the folder that holds it in torchvision's layout: "
            f"torchvision:{name},root=FOLDER",
        )


def open_split(name: str, declared: Declared, place: Path, part: str, **more: Any) -> Any:
    """Opens a part by torchvision's class; `more` are other arguments of it."""
    from torchvision import datasets

    split, _ = declared.splits[part]
    chosen = {"split": split} if split else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numpy, about torchvision's own calls
        return getattr(datasets, name)(str(place), **chosen, **declared.options, **more)


def listed(name: str, declared: Declared, place: Path, part: str) -> list[LabelledPath]:
    """Lists the image files of a part, sorted by path.

    Raises:
        DataError: If the dataset is damaged.
    """
    images = [
        LabelledPath(Path(image).relative_to(place).as_posix(), class_name)
        for image, class_name in _items(name, declared, place, part)
    ]
    return sorted(images)


def write_files(name: str, declared: Declared, place: Path, target: Path) -> None:
    """Writes arrays as PNG files `target/PART/CLASS/NUMBER.png`, unless they are there.

    Raises:
        DataError: If the dataset is damaged.
    """
    if target.is_dir():
        return
    total = sum(counts.images for _, counts in declared.splits.values())
    with staged(target) as staging, progress_bar(f"writing {name}", "img") as progress:
        done = 0
        for part in declared.splits:
            for number, (pixels, label) in enumerate(_items(name, declared, place, part)):
                path = staging / part / label / f"{number:05d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(path)
                done += 1
                progress(done, max(total, done))


def _items(name: str, declared: Declared, place: Path, part: str) -> Iterator[tuple[Any, str]]:
    """Yields the images of a part, each with the name of its class."""
    problem = f"{declared.title} in {place} is incomplete or damaged"
    again = f"Remove {place / declared.marker}, and download it again.\n{_GET.format(name)}"
    with reading(place, problem, again):
        found = open_split(name, declared, place, part)
        names = declared.classes or getattr(found, declared.class_names)
        for image, label in declared.items(found):
            if not 0 <= label < len(names):
                raise ValueError(f"it has the label {label} of {len(names)} classes")
            yield image, names[label]
