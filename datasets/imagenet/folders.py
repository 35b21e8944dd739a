"""Listing of folders of ImageNet classes, shared by ImageNet's few-shot datasets.

A folder holds `WNID/WNID_N.JPEG`, as unpacked from the training archive of ILSVRC2012, or the
images of the classes of one dataset under other names. It is never copied.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from lowlabel.datasets.images import LabelledPath
from lowlabel.datasets.io.listing import files_in, folders_in, image_suffixes, is_hidden
from lowlabel.datasets.parts import part_called

OBTAIN = "the folder of ILSVRC2012 training images (WNID/WNID_N.JPEG) from https://image-net.org"
LICENCE = "images under their owners' terms; ImageNet's non-commercial research agreement"
CLASS_FOLDERS = ("n[01]???????", "test/n[01]???????", "novel/n[01]???????")
_WNID = re.compile(r"n\d{8}")
_ORIGINAL = re.compile(r"(n\d{8})_(\d+)|ILSVRC2012_.*")


def wnid_in(name: str) -> str | None:
    """The WordNet id that a name begins with; None if it begins with none."""
    found = _WNID.match(name)
    return found.group() if found else None


def is_original(name: str) -> bool:
    """Whether a file has the name of an ILSVRC2012 image, such as "n01930112_15059.JPEG"."""
    return _ORIGINAL.fullmatch(PurePosixPath(name).stem) is not None


def wnid_folders(folder: Path) -> list[str]:
    """Names of the folders in `folder` that are WordNet ids, sorted."""
    return [name for name in folders_in(folder) if wnid_in(name) == name]


def images_in(top: Path, folder: str = "") -> list[str]:
    """Paths relative to `top` of the images that lie directly in `top/folder`, sorted."""
    before = f"{folder}/" if folder else ""
    return sorted(
        before + name
        for name in files_in(top / folder)
        if not is_hidden(name) and PurePosixPath(name).suffix.lower() in image_suffixes()
    )


@dataclass(frozen=True)
class ClassFolders:
    """A folder of class folders named by WordNet id, directly or in folders of parts.

    The class alone says which part of a dataset an image belongs to.
    """

    root: Path

    @cached_property
    def by_wnid(self) -> dict[str, list[str]]:
        """Paths of the folders of each class, relative to the root."""
        names = folders_in(self.root)
        places = ["", *(f"{name}/" for name in names if part_called(name))]
        found: dict[str, list[str]] = {}
        for place in places:
            for name in wnid_folders(self.root / place):
                found.setdefault(name, []).append(place + name)
        return found

    def images(self, wnid: str, numbers: Iterable[str] | None = None) -> list[LabelledPath]:
        """Lists the images of one class that are there, sorted by path.

        Where a class has images of the training archive, only these are taken; images of the
        validation archive never are.

        Args:
            wnid: WordNet id of the class.
            numbers: Each N of the wanted `WNID_N.JPEG`; None for all images of the class.
        """
        folders = self.by_wnid.get(wnid, ())
        paths = sorted(path for folder in folders for path in images_in(self.root, folder))
        originals = [path for path in paths if is_original(path)]
        if originals:
            wanted = None if numbers is None else {f"{wnid}_{number}" for number in numbers}
            stems = ((path, PurePosixPath(path).stem) for path in originals)
            paths = [
                path
                for path, stem in stems
                if stem.startswith(f"{wnid}_") and (wanted is None or stem in wanted)
            ]
        return [LabelledPath(path, wnid) for path in paths]

    def unknown(self, known: Collection[str]) -> list[str]:
        """The classes that are not among `known`, sorted."""
        return sorted(self.by_wnid.keys() - set(known))
