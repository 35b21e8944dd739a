"""`torchvision:NAME`: declares a dataset of torchvision, and downloads it if asked to."""

from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.folder import WHOLE, class_folders
from lowlabel.datasets.images import LabelledPath
from lowlabel.datasets.io.staging import staged
from lowlabel.datasets.splits.drawn import drawn
from lowlabel.datasets.torchvision_sets.declared import DECLARED, Declared
from lowlabel.datasets.torchvision_sets.reading import listed, open_split, require, write_files
from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.paths import datasets_dir, expanded
from lowlabel.reading import DAMAGE, reason

KIND = "torchvision"
_ROOT = ",root="
_FAILURES: tuple[type[Exception], ...] = (*DAMAGE, HTTPException)
_TEST_SHARE = 5  # one image of five, of datasets without a split


def torchvision_dataset(spec: Path) -> Dataset:
    """Declares a dataset in the layout that torchvision downloads.

    Its divisions are the published splits. A dataset without one is evaluated whole; for protocols
    that learn from labels, the division "drawn" has a fifth of each class as test images, drawn
    once by a hash of their names.

    Args:
        spec: `NAME`, the class in `torchvision.datasets`, or `NAME,root=FOLDER` with the folder
            that holds the dataset; by default `$LOWLABEL_HOME/datasets/torchvision/NAME`.

    Raises:
        UnknownNameError: If NAME is none of the declared datasets, in any case of its letters.
        DataError: If the dataset is not there.
    """
    text, _, folder = str(spec).partition(_ROOT)
    name = _known(text)
    declared = DECLARED[name]
    place = expanded(folder) if folder else _own_place(name)
    parts = _Parts(name, declared, place)
    if not (declared.arrays and parts.root.is_dir()):
        require(name, declared, place)
    return Dataset(
        name=f"{KIND}:{name}",
        title=declared.title,
        licence="see its home page",
        source=declared.source,
        obtain="",
        marker="",
        divisions=_divisions(declared, parts),
        root=parts.root,
    )


def _divisions(declared: Declared, parts: "_Parts") -> tuple[Division, ...]:
    expected = {part: counts for part, (_, counts) in declared.splits.items()}
    if WHOLE not in expected:
        names = tuple(declared.splits)
        return (Division("published", names, parts.read, expected, shared_classes=True),)
    title = f"one of {_TEST_SHARE} images of each class, drawn, to test on"
    return (
        Division(WHOLE, (WHOLE,), parts.read, expected),
        Division("drawn", ("train", "test"), parts.read_drawn, shared_classes=True, title=title),
    )


def _known(text: str) -> str:
    names = {name.casefold(): name for name in DECLARED}
    if text.casefold() not in names:
        raise UnknownNameError("dataset of torchvision", text, DECLARED)
    return names[text.casefold()]


def _own_place(name: str) -> Path:
    return datasets_dir() / KIND / name


@dataclass(frozen=True)
class _Parts:
    """The images of a dataset; each part is listed once."""

    name: str
    declared: Declared
    place: Path
    _listings: dict[str, list[LabelledPath]] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """Folder of the image files."""
        images = _own_place(self.name).with_name(f"{self.name}-images")
        return images if self.declared.arrays else self.place

    def read(self, root: Path, part: str) -> list[LabelledPath]:
        """Lists the images of a published part."""
        if part not in self._listings:
            self._listings[part] = self._listed(root, part)
        return self._listings[part]

    def _listed(self, root: Path, part: str) -> list[LabelledPath]:
        if not self.declared.arrays:
            return listed(self.name, self.declared, self.place, part)
        write_files(self.name, self.declared, self.place, root)
        return class_folders(root, part)

    def read_drawn(self, root: Path, part: str) -> list[LabelledPath]:
        """Lists the images of a drawn part."""
        return drawn(self.read(root, WHOLE), part, _TEST_SHARE)


def download(spec: str) -> Path:
    """Downloads a dataset by torchvision's class; it appears complete or not at all.

    Args:
        spec: `torchvision:NAME`.

    Returns:
        Its folder.

    Raises:
        InputError: If `spec` is another dataset, or names a folder of its own.
        DataError: If it cannot be downloaded.
    """
    kind, _, name = spec.partition(":")
    if kind != KIND or _ROOT in name:
        raise InputError(
            f"{spec} cannot be downloaded",
            f"--download goes with {KIND}:NAME: {', '.join(DECLARED)}",
        )
    name = _known(name)
    declared, place = DECLARED[name], _own_place(name)
    if (place / declared.marker).exists():
        return place
    with staged(place) as staging:
        for part in declared.splits:
            try:
                open_split(name, declared, staging, part, download=True)
            except _FAILURES as error:
                raise DataError(
                    f"{declared.title} cannot be downloaded: {reason(error)}",
                    "Repeat the command when its server answers, or get it elsewhere and name its "
                    f"folder: {KIND}:{name}{_ROOT}FOLDER",
                ) from error
    return place
