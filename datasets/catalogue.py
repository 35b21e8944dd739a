"""Opens a dataset on the disk by the name that the command line uses."""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lowlabel.datasets.base import Dataset, Division, GroundTruth
from lowlabel.datasets.cars import CARS
from lowlabel.datasets.cifar.cifar_10 import CIFAR_10
from lowlabel.datasets.cifar.cifar_100 import CIFAR_100
from lowlabel.datasets.cifar.cifar_fs import CIFAR_FS
from lowlabel.datasets.cifar.fc100 import FC100
from lowlabel.datasets.class_list import only_classes
from lowlabel.datasets.copydays import COPYDAYS
from lowlabel.datasets.counts import Partial, difference, find_root, load_part, partial_error
from lowlabel.datasets.cub import CUB
from lowlabel.datasets.demo.copies import DEMO_COPIES
from lowlabel.datasets.demo.dataset import DEMO
from lowlabel.datasets.demo.landmarks import DEMO_LANDMARKS
from lowlabel.datasets.folder import folder_dataset
from lowlabel.datasets.imagenet.ilsvrc import IMAGENET_1K
from lowlabel.datasets.imagenet.mini import MINI_IMAGENET
from lowlabel.datasets.imagenet.tiered import TIERED_IMAGENET
from lowlabel.datasets.imagenet.tiny import TINY_IMAGENET
from lowlabel.datasets.images import ImageSet
from lowlabel.datasets.inshop import INSHOP
from lowlabel.datasets.io.listing import shown_counts
from lowlabel.datasets.landmarks import REVISITOP1M, ROXFORD5K, RPARIS6K
from lowlabel.datasets.layout import check_classes
from lowlabel.datasets.omniglot import OMNIGLOT
from lowlabel.datasets.prepare import make, prepared_folder, read_card
from lowlabel.datasets.sop import SOP
from lowlabel.datasets.sources.hugging_face import hugging_face_dataset
from lowlabel.datasets.sources.webdataset import webdataset
from lowlabel.datasets.splits.min_images import shown_small
from lowlabel.datasets.tables.dataset import table_dataset
from lowlabel.datasets.torchvision_sets.dataset import KIND, torchvision_dataset
from lowlabel.errors import DataError
from lowlabel.paths import expanded
from lowlabel.registry import Registry

OWN: Mapping[str, tuple[str, str, Callable[[Path], Dataset]]] = {  # data that the user brings
    "folder": ("folder", "PATH; the folder you are in is folder:.", folder_dataset),
    "csv": ("table", "FILE, for example csv:./birds.csv", table_dataset),
    "hf": ("folder", "FOLDER, of parquet files", hugging_face_dataset),
    "wds": ("shards", "PATTERN, as wds:'shards/{train,test}-*.tar', or FOLDER", webdataset),
    KIND: ("dataset", "NAME, as torchvision:Food101", torchvision_dataset),
}
DATASETS: Registry[Dataset] = Registry("dataset")
for _dataset in (
    DEMO,
    DEMO_LANDMARKS,
    DEMO_COPIES,
    CIFAR_10,
    CIFAR_100,
    IMAGENET_1K,
    TINY_IMAGENET,
    MINI_IMAGENET,
    TIERED_IMAGENET,
    CIFAR_FS,
    FC100,
    OMNIGLOT,
    CUB,
    CARS,
    SOP,
    INSHOP,
    ROXFORD5K,
    RPARIS6K,
    REVISITOP1M,
    COPYDAYS,
):
    DATASETS.add(_dataset.name, _dataset)


@dataclass(frozen=True)
class OpenDataset:
    """A dataset on the disk under one of its divisions.

    Attributes:
        dataset: The declaration.
        division: The division.
        root: Folder with the images.
        title: Name in tables; a subset may have its own.
        allow_partial: Whether counts may differ from the full dataset's.
    """

    dataset: Dataset
    division: Division
    root: Path
    title: str
    allow_partial: bool
    _parts: dict[str, ImageSet] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """Name with the division, such as "cub:closerlook"."""
        return f"{self.dataset.name}:{self.division.name}"

    def load(self, part: str) -> ImageSet:
        """Lists a part.

        Raises:
            DataError: If its counts differ from the full dataset's and `allow_partial` is False.
        """
        if part not in self._parts:
            images = load_part(self.dataset, self.division, self.root, part)
            partial = difference(self.division, images)
            if partial and not self.allow_partial:
                raise partial_error(self.name, self.division, self.root, [partial])
            self._parts[part] = images
        return self._parts[part]

    def left_out(self, *parts: str) -> dict[str, int]:
        """Counts the files in the folders of `parts` that are not taken, by suffix."""
        if self.division.left_out is None:
            return {}
        counts = (Counter(self.division.left_out(self.root, part)) for part in parts)
        return dict(sum(counts, Counter()))

    def small_classes(self, part: str) -> dict[str, int]:
        """The classes of a part that have too few images, each with their number."""
        small = self.division.small_classes
        return dict(small(self.root, part)) if small else {}

    def not_taken(self, part: str) -> list[str]:
        """The files and the classes of a part that are left out, one sentence each."""
        small = shown_small(self.small_classes(part), self.division.min_images)
        return [note for note in (shown_counts(self.left_out(part)), small) if note]

    def check_classes(self, *parts: str) -> None:
        """Raises a `DataError` if class folders of `folder:PATH` look like something else."""
        if not self.dataset.name.startswith("folder:"):
            return
        for part in parts:
            images = self.load(part)
            folder = images.paths[0].split("/")[0] if len(self.division.parts) > 1 else ""
            check_classes(images, folder, is_scored=part == self.division.evaluated)

    def ground_truth(self) -> GroundTruth | None:
        """Reads the gallery rows that each query should find; None if the labels tell."""
        return self.division.ground_truth(self.root) if self.division.ground_truth else None

    def partial(self, part: str) -> Partial | None:
        """Compares a part's counts with the full dataset's; None if they are equal."""
        return difference(self.division, self.load(part))


def find_dataset(spec: str) -> tuple[Dataset, str | None]:
    """Parses `NAME`, `NAME:DIVISION`, `folder:PATH` or `csv:FILE`.

    Returns:
        The declaration, and the name of the division or None if `spec` names none.

    Raises:
        UnknownNameError: If there is no such dataset or division.
        DataError: If `folder:PATH` is not a folder, `csv:FILE` lists no images, or the name is a
            path.
    """
    name, _, rest = spec.partition(":")
    if name in OWN:
        what, example, opener = OWN[name]
        if not rest:
            raise DataError(f"{spec} names no {what}", f"Write {name}:{example}")
        return opener(expanded(rest)), None
    if name not in DATASETS and os.path.exists(spec):  # noqa: PTH110 (also for too long a text)
        kind = "folder" if Path(spec).is_dir() else "csv"
        raise DataError(
            f"{spec} is a {'folder' if kind == 'folder' else 'file'}, not the name of a dataset",
            f"Write {kind}:{spec}",
        )
    dataset = DATASETS[name]
    return dataset, dataset.division(rest).name if rest else None


def open_dataset(
    spec: str,
    division: Division | None = None,
    *,
    class_list: Path | None = None,
    allow_partial: bool = False,
) -> OpenDataset:
    """Finds a prepared dataset on the disk; generated datasets are written on first use.

    Args:
        spec: `NAME`, `NAME:DIVISION`, `folder:PATH` or `csv:FILE`.
        division: The division to open; by default the one that `spec` names, else the first.
        class_list: File of the only classes to take, one per line; None for all.
        allow_partial: Accept counts that differ from the full dataset's.

    Raises:
        UnknownNameError: If there is no such dataset or division.
        DataError: If the dataset is not prepared, or the class list cannot be read.
    """
    dataset, division_name = find_dataset(spec)
    if division is None:
        division = dataset.division(division_name) if division_name else dataset.divisions[0]
    if class_list:
        division = only_classes(division, class_list)
    if dataset.root is not None:
        title = _title(dataset.title, division)
        return OpenDataset(dataset, division, dataset.root, title, allow_partial)
    make(dataset)
    folder = prepared_folder(dataset)
    if not folder.is_dir():
        raise DataError(
            f"{dataset.title} is not prepared: there is no folder {folder}",
            f"Get {dataset.obtain}. Then: lowlabel prepare {dataset.name} --archive FILE",
        )
    card = read_card(dataset)
    title = _title(card.title if card else dataset.title, division)
    return OpenDataset(dataset, division, find_root(dataset, folder), title, allow_partial)


def _title(title: str, division: Division) -> str:
    return f"{title}, {division.title}" if division.title else title


def is_own(name: str) -> bool:
    """Whether a dataset's name or spec stands for data that the user brings, as `folder:PATH`."""
    return name.partition(":")[0] in OWN


def is_present(dataset: Dataset) -> bool:
    """Whether the dataset can be opened: it is prepared, or generated on first use."""
    return dataset.make is not None or prepared_folder(dataset).is_dir()
