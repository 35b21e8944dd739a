"""The declaration of a dataset: its origin, its layout on the disk and its divisions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lowlabel.datasets.images import Counts, ImageSet, LabelledPath
from lowlabel.errors import UnknownNameError
from lowlabel.progress import Progress

Kind = Literal["classes", "revisited", "copies", "distractors", "labels"]
VALIDATION = "val"
GroundTruth = list[dict[str, list[int]]]  # per query: gallery rows by judgement ("easy", …)


@dataclass(frozen=True)
class Division:
    """A named way of splitting a dataset into parts. Results of two divisions never mix.

    Attributes:
        name: Name in `DATASET:DIVISION`.
        parts: Names of the parts: methods may train on the first, the last is evaluated.
        read: Lists the images of one part, given the dataset's root and the part's name.
        expected: Counts of the full dataset by part; empty if any count is valid.
        kind: Meaning of the labels: "classes"; "revisited" (landmarks, with a ground truth for
            each query); "copies" (an original and its copies share a label); "distractors" (no
            labels); "labels" (images have several, which share what they depict).
        gallery: Part in which the evaluated images are searched; None if each is searched among
            the others.
        ground_truth: Reads the gallery rows that each query should find; only for "revisited".
        shared_classes: Whether all parts hold the same classes, so that a classifier trained on
            the first part can be scored on the last; if False, the two hold different classes.
        left_out: Counts the files of a part that are not taken, by suffix; None if a list names
            the files.
        title: What tables add to the dataset's title; empty for nothing.
        unshared: Which classes the first part lacks, of a folder; empty if `shared_classes`.
        needs: Folder or file without which the division is left out; empty if the dataset must
            have it.
        min_images: Images that each class must have; 0 if any number will do.
        small_classes: The classes of a part that have fewer, each with its number of images.
        notes: What else was left out of data that the user brings, a phrase each.
        grouped: Whether images have groups, as their patient, camera or burst.
    """

    name: str
    parts: tuple[str, ...]
    read: Callable[[Path, str], list[LabelledPath]]
    expected: Mapping[str, Counts] = field(default_factory=dict)
    kind: Kind = "classes"
    gallery: str | None = None
    ground_truth: Callable[[Path], GroundTruth] | None = None
    shared_classes: bool = False
    left_out: Callable[[Path, str], Mapping[str, int]] | None = None
    title: str = ""
    unshared: str = ""
    needs: str = ""
    min_images: int = 0
    small_classes: Callable[[Path, str], Mapping[str, int]] | None = None
    notes: tuple[str, ...] = ()
    grouped: bool = False

    def counts(self, images: ImageSet) -> Counts:
        """Counts of a part; classes are counted only if labels are classes."""
        return images.counts if self.kind == "classes" else Counts(len(images))

    @property
    def evaluated(self) -> str:
        """The part that is scored."""
        return self.parts[-1]

    @property
    def train_part(self) -> str | None:
        """The part that methods may train on; None if there is none."""
        first, *others = self.parts
        learned = self.kind in ("classes", "labels")
        return first if others and first != self.gallery and learned else None

    @property
    def validation_part(self) -> str | None:
        """The part to choose hyper-parameters on; None if there is none but the scored one."""
        return VALIDATION if VALIDATION in self.parts[:-1] else None


@dataclass(frozen=True)
class Conversion:
    """How to turn a published distribution without image files into image files.

    Attributes:
        files: Paths, relative to one folder, that identify the distribution; `*` stands for any
            text.
        write: Writes the dataset in the layout that its divisions read. Arguments: the folder of
            the distribution, an empty folder to write into, and the progress.
    """

    files: tuple[str, ...]
    write: Callable[[Path, Path, Progress | None], None]

    def is_of(self, folder: Path) -> bool:
        """Whether `folder` holds the distribution."""
        return _holds(folder, self.files)


@dataclass(frozen=True)
class OtherDataset:
    """A dataset that is taken for another one.

    Attributes:
        title: What it is.
        files: Paths, relative to one folder, that identify it; `*` stands for any text.
        hint: What to do with it.
    """

    title: str
    files: tuple[str, ...]
    hint: str = ""

    def is_in(self, folder: Path) -> bool:
        """Whether `folder` holds it."""
        return _holds(folder, self.files)


def _holds(folder: Path, files: tuple[str, ...]) -> bool:
    return all(any(folder.glob(file)) for file in files)


@dataclass(frozen=True)
class Dataset:
    """The declaration of a dataset.

    Attributes:
        name: Name on the command line.
        title: Name in tables.
        licence: Terms of use.
        source: Authors, venue and home page.
        obtain: How to get the archive.
        marker: Path inside the root folder by which the root is found in an unpacked archive, or
            a glob pattern of such paths.
        divisions: The divisions; the first is the default.
        make: Writes the data into an empty folder; for datasets that need no archive.
        version: Version of data written by `make`; each version has its own folder.
        other_markers: Markers of other layouts in use.
        conversions: Distributions that `prepare` turns into image files.
        others: Datasets that are taken for this one.
        ks: K at which Recall@K is usually reported.
        root: Folder of the images, of data that the user brings; None for all others.
    """

    name: str
    title: str
    licence: str
    source: str
    obtain: str
    marker: str
    divisions: tuple[Division, ...]
    make: Callable[[Path, Progress | None], None] | None = None
    version: int = 0
    other_markers: tuple[str, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    others: tuple[OtherDataset, ...] = ()
    ks: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    root: Path | None = None

    @property
    def folder_name(self) -> str:
        """Name of the prepared folder."""
        return f"{self.name}-v{self.version}" if self.version else self.name

    def division(self, name: str) -> Division:
        """Returns the division called `name`; an unknown name is an `UnknownNameError`."""
        by_name = {division.name: division for division in self.divisions}
        if name not in by_name:
            raise UnknownNameError(f"division of {self.name}", name, by_name)
        return by_name[name]
