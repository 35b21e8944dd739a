"""`folder:PATH`: any folder of class folders, divided by sub-folders when it has them."""

from collections.abc import Mapping
from pathlib import Path

from lowlabel.datasets.base import Counts, Dataset, Division, LabelledPath
from lowlabel.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"})
PART_NAMES = (("base", "val", "novel"), ("train", "val", "test"))
WHOLE = "all"


def class_folders(root: Path, prefix: str = "") -> list[LabelledPath]:
    """Lists the images of `root/prefix/CLASS/**`, sorted by path.

    Args:
        root: The folder that the returned paths are relative to.
        prefix: A sub-folder that holds the class folders; empty for `root` itself.

    Raises:
        DataError: If there is no such folder, or no image in a class folder of it.
    """
    top = root / prefix
    if not top.is_dir():
        raise DataError(f"there is no folder {top}", "Check the path, and that it is mounted.")
    images = sorted(
        path.relative_to(root).as_posix()
        for path in top.glob("*/**/*")
        if path.suffix.lower() in IMAGE_SUFFIXES
    )
    if not images:
        raise DataError(
            f"no images in the class folders of {top}",
            f"Expected {top}/CLASS/IMAGE with one of {', '.join(sorted(IMAGE_SUFFIXES))}.",
        )
    depth = len(Path(prefix).parts)
    return [LabelledPath(image, image.split("/")[depth]) for image in images]


def divided(
    parts: tuple[str, ...],
    name: str = "folders",
    expected: Mapping[str, Counts] | None = None,
) -> Division:
    """The division of a root whose sub-folders are its parts."""
    return Division(name, parts, class_folders, expected or {})


def folder_dataset(path: Path) -> Dataset:
    """Declares the folder `path` as a data set.

    Sub-folders `base/val/novel` or `train/val/test` are its parts (`val` may be missing); without
    them the whole folder is evaluated and methods that learn from base classes are not available.

    Raises:
        DataError: If there is no such folder.
    """
    if not path.is_dir():
        raise DataError(
            f"there is no folder {path}",
            "A folder data set is named folder:PATH, as folder:./birds.",
        )
    division = Division(WHOLE, (WHOLE,), lambda root, _: class_folders(root))
    for first, middle, last in PART_NAMES:
        if (path / first).is_dir() and (path / last).is_dir():
            parts = (first, middle, last) if (path / middle).is_dir() else (first, last)
            division = divided(parts)
    return Dataset(
        name=f"folder:{path.name}",
        title=path.name,
        licence="the user's own",
        source=str(path),
        obtain="",
        marker="",
        divisions=(division,),
    )
