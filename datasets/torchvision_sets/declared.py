"""The datasets of torchvision that are read: their layouts, splits and counts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lowlabel.datasets.images import Counts

_Items = Iterable[tuple[Any, int]]


@dataclass(frozen=True)
class Declared:
    """A dataset of torchvision.

    Attributes:
        title: Name in tables.
        source: Authors and venue.
        marker: Folder or file, relative to the dataset's place, that is there if its images are.
        splits: By part, the split as torchvision calls it, and its counts. Of datasets without a
            split, that of "all" is empty.
        items: Yields the image, a path or an array, and the label of each item of an instance of
            torchvision's class.
        options: Other arguments of torchvision's class.
        classes: Names of the labels, where torchvision's class has none.
        class_names: Attribute of torchvision's class with these names.
        arrays: Whether images are arrays, which become image files.
    """

    title: str
    source: str
    marker: str
    splits: Mapping[str, tuple[str, Counts]]
    items: Callable[[Any], _Items]
    options: Mapping[str, Any] = field(default_factory=dict)
    classes: Sequence[str] = ()
    class_names: str = "classes"
    arrays: bool = False


def _attributes(images: str, labels: str) -> Callable[[Any], _Items]:
    return lambda found: zip(getattr(found, images), getattr(found, labels), strict=True)


def _samples(found: Any) -> _Items:
    yield from found._samples if hasattr(found, "_samples") else found.samples


def _caltech(found: Any) -> _Items:
    for number, label in zip(found.index, found.y, strict=True):
        name = f"image_{number:04d}.jpg"
        yield Path(found.root, "101_ObjectCategories", found.categories[label], name), label


def _three(val: str, classes: int, *images: int) -> dict[str, tuple[str, Counts]]:
    names = {"train": "train", "val": val, "test": "test"}
    counts = (Counts(each, classes) for each in images)
    return {part: (name, count) for (part, name), count in zip(names.items(), counts, strict=True)}


def _two(train: str, classes: int, *images: int) -> dict[str, tuple[str, Counts]]:
    first, last = (Counts(each, classes) for each in images)
    return {"train": (train, first), "test": ("test", last)}


_FILES = _attributes("_image_files", "_labels")
_ARRAYS = _attributes("data", "labels")
DECLARED: Mapping[str, Declared] = {
    "Caltech101": Declared(
        "Caltech-101",
        "Fei-Fei et al., CVPR workshop 2004",
        "caltech101/101_ObjectCategories",
        {"all": ("", Counts(8_677, 101))},
        _caltech,
        class_names="categories",
    ),
    "Country211": Declared(
        "Country211",
        "Radford et al., ICML 2021, of YFCC100M",
        "country211",
        _three("valid", 211, 31_650, 10_550, 21_100),
        _samples,
    ),
    "DTD": Declared(
        "DTD",
        "Cimpoi et al., CVPR 2014; the first of its ten partitions",
        "dtd/dtd",
        _three("val", 47, 1_880, 1_880, 1_880),
        _FILES,
    ),
    "EuroSAT": Declared(
        "EuroSAT",
        "Helber et al., JSTARS 2019; RGB",
        "eurosat/2750",
        {"all": ("", Counts(27_000, 10))},
        _samples,
    ),
    "FGVCAircraft": Declared(
        "FGVC-Aircraft",
        "Maji et al., 2013, arXiv:1306.5151; variants",
        "fgvc-aircraft-2013b",
        _three("val", 100, 3_334, 3_333, 3_333),
        _FILES,
        {"annotation_level": "variant"},
    ),
    "Flowers102": Declared(
        "Flowers-102",
        "Nilsback & Zisserman, ICVGIP 2008",
        "flowers-102/jpg",
        _three("val", 102, 1_020, 1_020, 6_149),
        _FILES,
    ),
    "Food101": Declared(
        "Food-101",
        "Bossard et al., ECCV 2014",
        "food-101/images",
        _two("train", 101, 75_750, 25_250),
        _FILES,
    ),
    "GTSRB": Declared(
        "GTSRB",
        "Stallkamp et al., IJCNN 2011",
        "gtsrb/GTSRB",
        _two("train", 43, 26_640, 12_630),
        _samples,
        classes=[f"{number:05d}" for number in range(43)],
    ),
    "OxfordIIITPet": Declared(
        "Oxford-IIIT Pet",
        "Parkhi et al., CVPR 2012",
        "oxford-iiit-pet/images",
        _two("trainval", 37, 3_680, 3_669),
        _attributes("_images", "_labels"),
    ),
    "STL10": Declared(
        "STL-10",
        "Coates et al., AISTATS 2011",
        "stl10_binary",
        _two("train", 10, 5_000, 8_000),
        _ARRAYS,
        arrays=True,
    ),
    "SVHN": Declared(
        "SVHN",
        "Netzer et al., NIPS workshop 2011; without the extra images",
        "test_32x32.mat",
        _two("train", 10, 73_257, 26_032),
        _ARRAYS,
        classes=[str(digit) for digit in range(10)],
        arrays=True,
    ),
}
