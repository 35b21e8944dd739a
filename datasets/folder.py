"""`folder:PATH`: any folder of class folders, divided by its sub-folders if it has parts."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.listing import (
    EMPTY_CLASSES,
    UNSCORED_CLASSES,
    Listing,
    files_in,
    folders_in,
    holds_image,
    image_suffixes,
    is_hidden,
    list_images,
    shown_counts,
)
from lowlabel.datasets.parts import GALLERY, find_parts, is_pretext
from lowlabel.datasets.splits.shared_classes import unshared_classes
from lowlabel.errors import DataError

WHOLE = "all"
_OUTSIDE = "image outside the class folders"
_BESIDE = "beside the parts"


def class_folders(root: Path, prefix: str = "") -> list[LabelledPath]:
    """Lists the images of `root/prefix/CLASS/**`, sorted by path.

    Args:
        root: Folder that the returned paths are relative to.
        prefix: Sub-folder that holds the class folders; empty for `root` itself.

    Raises:
        DataError: If the folder does not exist, or its class folders hold no image.
    """
    return _labelled(root, prefix, _listed(root, prefix))


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

    Sub-folders with usual names of parts are its parts, see `find_parts`; without them the whole
    folder is evaluated, and methods that need base classes are not available. Images of `query/`
    are searched in those of `gallery/`.

    Raises:
        DataError: If the folder does not exist, is Tiny-ImageNet, or its parts are ambiguous.
    """
    if not path.is_dir():
        raise DataError(
            f"there is no folder {path}",
            "Name an existing folder as folder:PATH, for example folder:./birds.",
        )
    refuse_tiny_imagenet(path)
    folders = find_parts(path)
    gallery = GALLERY if folders and GALLERY in folders else None
    named = folders or {}
    trains = next(iter(named), None) != gallery
    classes = {part: _classes(path / name) for part, name in named.items() if trains}
    places = {part: str(path / name) for part, name in named.items()}
    unshared = unshared_classes(classes, places) if classes else ""
    shared = bool(classes) and not unshared
    found = [*classes.values()]
    unscored = len(found[0] - found[-1]) if shared else 0
    files = _Files(folders or {WHOLE: ""}, unscored)
    division = Division(
        "folders" if folders else WHOLE,
        tuple(files.folders),
        files.labelled,
        gallery=gallery,
        shared_classes=shared,
        left_out=files.left_out,
        unshared=unshared,
    )
    last = path.name if path.name not in ("", "..") else path.resolve().name or str(path)
    name = last.encode(errors="backslashreplace").decode()  # if it is no UTF-8
    return Dataset(
        name=f"folder:{name}",
        title=name,
        licence="the user's own",
        source=str(path),
        obtain="",
        marker="",
        divisions=(division,),
        root=path,
    )


def refuse_tiny_imagenet(path: Path) -> None:
    """Raises a `DataError` for Tiny-ImageNet, whose `val/images` is no class but all of them."""
    root = path.parent if (path / "val_annotations.txt").is_file() else path
    if not (root / "val/val_annotations.txt").is_file() or not (root / "val/images").is_dir():
        return
    raise DataError(
        f"{path} is Tiny-ImageNet in its own layout, where val_annotations.txt names the classes "
        "of val/images: read as class folders it would have one class",
        f"lowlabel prepare tiny-imagenet --archive {root}\nThen name it: --dataset tiny-imagenet",
    )


def _classes(part: Path) -> set[str]:
    """The class folders of a part that hold images."""
    return {name for name in folders_in(part) if holds_image(part / name)}


@dataclass(frozen=True)
class _Files:
    """The files of a folder; each part is listed once.

    Attributes:
        folders: Sub-folder of each part.
        unscored: Number of classes of the first part that the last lacks, if they share classes.
    """

    folders: Mapping[str, str]
    unscored: int = 0
    _listings: dict[Path, Listing] = field(default_factory=dict)

    def labelled(self, root: Path, part: str) -> list[LabelledPath]:
        """Lists the images of a part."""
        prefix = self.folders[part]
        return _labelled(root, prefix, self._listing(root, prefix))

    def left_out(self, root: Path, part: str) -> Counter[str]:
        """Counts the files of a part that are not listed, by suffix.

        The last part, which is scored, counts those beside the parts as well.
        """
        listing = self._listing(root, self.folders[part])
        classes = {image.partition("/")[0] for image in listing.images if "/" in image}
        empty = set(folders_in(root / self.folders[part])) - classes
        counts = _left_out(listing) + Counter({EMPTY_CLASSES: len(empty)})
        if part != [*self.folders][-1]:
            return counts
        return counts + self._beside(root) + Counter({UNSCORED_CLASSES: self.unscored})

    def _beside(self, root: Path) -> Counter[str]:
        """Counts the files of the root that are in no part, by folder."""
        if WHOLE in self.folders:
            return Counter()
        counts = Counter({_BESIDE: sum(not is_hidden(name) for name in files_in(root))})
        for name in folders_in(root):
            if name not in self.folders.values() and not is_pretext(name):
                listing = list_images(root / name)
                counts[f"in {name}/"] = len(listing.images) + listing.left_out.total()
        return +counts  # without what is 0

    def _listing(self, root: Path, prefix: str) -> Listing:
        place = root / prefix
        if place not in self._listings:
            self._listings[place] = _listed(root, prefix)
        return self._listings[place]


def _listed(root: Path, prefix: str) -> Listing:
    top = root / prefix
    if not top.is_dir():
        raise DataError(f"there is no folder {top}", "Check the path and that its disk is mounted.")
    return list_images(top)


def _left_out(listing: Listing) -> Counter[str]:
    outside = sum("/" not in image for image in listing.images)
    return listing.left_out + Counter({_OUTSIDE: outside})  # without what is 0


def _labelled(root: Path, prefix: str, listing: Listing) -> list[LabelledPath]:
    """The images in class folders; `prefix` is written before their paths."""
    before = f"{prefix}/" if prefix else ""
    images = [
        LabelledPath(f"{before}{image}", image.partition("/")[0])
        for image in listing.images
        if "/" in image
    ]
    if not images:
        seen = shown_counts(_left_out(listing))
        raise DataError(
            f"no images in the class folders of {root / prefix}" + (f": {seen}" if seen else ""),
            f"Arrange the images as {root / prefix}/CLASS/IMAGE, where IMAGE ends in one of "
            f"{', '.join(sorted(image_suffixes()))}.",
        )
    return images
