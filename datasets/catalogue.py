"""From a name on the command line to a data set on the disk."""

from dataclasses import dataclass, field
from pathlib import Path

from lowlabel.datasets.base import Dataset, Division, GroundTruth, ImageSet
from lowlabel.datasets.cars import CARS
from lowlabel.datasets.cifar_fs import CIFAR_FS
from lowlabel.datasets.copydays import COPYDAYS
from lowlabel.datasets.counts import Partial, difference, find_root, load_part, partial_error
from lowlabel.datasets.cub import CUB
from lowlabel.datasets.demo.copies import DEMO_COPIES
from lowlabel.datasets.demo.dataset import DEMO
from lowlabel.datasets.demo.landmarks import DEMO_LANDMARKS
from lowlabel.datasets.fc100 import FC100
from lowlabel.datasets.folder import folder_dataset
from lowlabel.datasets.inshop import INSHOP
from lowlabel.datasets.landmarks import REVISITOP1M, ROXFORD5K, RPARIS6K
from lowlabel.datasets.mini_imagenet import MINI_IMAGENET
from lowlabel.datasets.omniglot import OMNIGLOT
from lowlabel.datasets.prepare import make, prepared_folder, read_card
from lowlabel.datasets.sop import SOP
from lowlabel.datasets.tiered_imagenet import TIERED_IMAGENET
from lowlabel.errors import DataError
from lowlabel.progress import Progress
from lowlabel.registry import Registry

DATASETS: Registry[Dataset] = Registry("data set")
for _dataset in (
    DEMO,
    DEMO_LANDMARKS,
    DEMO_COPIES,
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
    """A data set that lies on the disk, under one of its divisions.

    Attributes:
        dataset: The declaration.
        division: How it is divided.
        root: The folder with the images.
        title: The honest name for tables.
        allow_partial: Whether other counts than the full set's are accepted.
    """

    dataset: Dataset
    division: Division
    root: Path
    title: str
    allow_partial: bool
    _parts: dict[str, ImageSet] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name with its division, as "cub:closerlook"."""
        return f"{self.dataset.name}:{self.division.name}"

    def load(self, part: str) -> ImageSet:
        """Lists a part.

        Raises:
            DataError: If its counts are not the full set's and `allow_partial` is false.
        """
        if part not in self._parts:
            images = load_part(self.dataset, self.division, self.root, part)
            partial = difference(self.division, images)
            if partial and not self.allow_partial:
                raise partial_error(self.name, [partial])
            self._parts[part] = images
        return self._parts[part]

    def ground_truth(self) -> GroundTruth | None:
        """Which of the gallery's images each query is to find, where the data set tells."""
        return self.division.ground_truth(self.root) if self.division.ground_truth else None

    def partial(self, part: str) -> Partial | None:
        """How a part differs from the full set's, if it does."""
        return difference(self.division, self.load(part))


def find_dataset(spec: str) -> tuple[Dataset, str | None]:
    """Reads `NAME`, `NAME:SCHEME` or `folder:PATH`.

    Returns:
        The declaration, and the division's name where one was given.

    Raises:
        UnknownNameError: If there is no such data set or division.
        DataError: If `folder:PATH` is not a folder.
    """
    name, _, rest = spec.partition(":")
    if name == "folder":
        return folder_dataset(Path(rest).expanduser()), None
    dataset = DATASETS[name]
    return dataset, dataset.division(rest).name if rest else None


def open_dataset(
    spec: str,
    division: Division | None = None,
    *,
    allow_partial: bool = False,
    progress: Progress | None = None,
) -> OpenDataset:
    """Finds a data set on the disk, or makes the one that the suite makes itself.

    Args:
        spec: As for `find_dataset`.
        division: The division to take; by default the one that `spec` names, or the first.
        allow_partial: Accept other counts than the full set's.
        progress: Called with (images done, images in all) while data are made.

    Raises:
        UnknownNameError: If the name is not known.
        DataError: If the data set is not there, with the command that prepares it.
    """
    dataset, division_name = find_dataset(spec)
    if division is None:
        division = dataset.division(division_name) if division_name else dataset.divisions[0]
    if not dataset.marker:
        return OpenDataset(dataset, division, Path(dataset.source), dataset.title, allow_partial)
    make(dataset, progress)
    folder = prepared_folder(dataset)
    if not folder.is_dir():
        raise DataError(
            f"{dataset.title} is not prepared: there is no folder {folder}",
            f"Get {dataset.obtain}; then: lowlabel prepare {dataset.name} --archive FILE",
        )
    card = read_card(dataset)
    title = card.title if card else dataset.title
    return OpenDataset(dataset, division, find_root(dataset, folder), title, allow_partial)


def is_present(dataset: Dataset) -> bool:
    """Whether the data set can be opened without an archive."""
    return dataset.make is not None or prepared_folder(dataset).is_dir()
