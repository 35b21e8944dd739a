"""`folder:PATH`: any folder of class folders, divided by its sub-folders if it has parts."""

from collections.abc import Mapping
from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"})
PART_NAMES = (("base", "val", "novel"), ("train", "val", "test"))
WHOLE = "all"


def class_folders(root: Path, prefix: str = "") -> list[LabelledPath]:
    """Lists the images of `root/prefix/CLASS/**`, sorted by path.

    Args:
        root: Folder that the returned paths are relative to.
        prefix: Sub-folder that holds the class folders; empty for `root` itself.

    Raises:
        DataError: If the folder does not exist, or its class folders hold no image.
    """
    top = root / prefix
    if not top.is_dir():
        raise DataError(f"there is no folder {top}", "Check the path and that its disk is mounted.")
    images = sorted(
        path.relative_to(root).as_posix()
        for path in top.glob("*/**/*")
        if path.suffix.lower() in IMAGE_SUFFIXES
    )
    if not images:
        raise DataError(
            f"no images in the class folders of {top}",
            f"Arrange the images as {top}/CLASS/IMAGE, where IMAGE ends in one of "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}.",
        )
    depth = len(Path(prefix).parts)
    return [LabelledPath(image, image.split("/")[depth]) for image in images]


def divided(
    parts: tuple[str, ...],
    name: str = "folders",
    expected: Mapping[str, Counts] | None = None,
    *,
    shared_classes: bool = False,
) -> Division:
    """Declares the division whose parts are sub-folders of the root."""
    return Division(name, parts, class_folders, expected or {}, shared_classes=shared_classes)


def folder_dataset(path: Path) -> Dataset:
    """Declares the folder `path` as a dataset.

    Sub-folders `base/val/novel` or `train/val/test` are its parts (`val` may be missing); without
    them the whole folder is evaluated, and methods that need base classes are not available.

    Raises:
        DataError: If the folder does not exist.
    """
    if not path.is_dir():
        raise DataError(
            f"there is no folder {path}",
            "Name an existing folder as folder:PATH, for example folder:./birds.",
        )
    division = Division(WHOLE, (WHOLE,), lambda root, _: class_folders(root))
    for first, middle, last in PART_NAMES:
        if (path / first).is_dir() and (path / last).is_dir():
            parts = (first, middle, last) if (path / middle).is_dir() else (first, last)
            shared = _class_names(path / first) == _class_names(path / last)
            division = divided(parts, shared_classes=shared)
    return Dataset(
        name=f"folder:{path.name}",
        title=path.name,
        licence="the user's own",
        source=str(path),
        obtain="",
        marker="",
        divisions=(division,),
    )


def _class_names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()}
