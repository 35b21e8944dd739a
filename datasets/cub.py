"""CUB-200-2011: 11,788 photographs of 200 bird species (Wah et al., Caltech 2011).

Several divisions are in use and must never be mixed: `closerlook` (Chen et al., ICLR 2019,
arXiv:1904.04232), `feat` (Ye et al., CVPR 2020, arXiv:1812.03664), `easyfsl` (140/30/30 classes,
https://github.com/sicara/easy-few-shot-learning), `frn` (Wertheimer et al., CVPR 2021,
arXiv:2012.01506) and, for zero-shot retrieval, `dml-zeroshot`, which trains on the first 100
classes and tests on the other 100. Each has a variant `-box` with images cropped to the bird's box,
as in FEAT. `classification-split` is the authors' own division with all classes in both parts,
which some also score as retrieval.

`closerlook` and `frn` apply one rule to different numbers, the 0-based index and the 1-based class
id, so that every novel class of `closerlook` is a base class of `frn`.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from lowlabel.datasets.base import Dataset, Division, OtherDataset
from lowlabel.datasets.images import Box, Counts, LabelledPath
from lowlabel.datasets.io.lists import nested, read_lines
from lowlabel.datasets.splits import split_list
from lowlabel.errors import DataError

_BOXES = "bounding_boxes.txt"
_PREPARE = "Prepare it again: lowlabel prepare cub --archive CUB_200_2011.tgz"


def _by_remainder(number: int) -> str:
    """Half of the numbers are base classes, a quarter each validation and novel classes."""
    if number % 2 == 0:
        return "base"
    return "val" if number % 4 == 1 else "novel"


def _closerlook(class_id: int) -> str:
    return _by_remainder(class_id - 1)


def _frn(class_id: int) -> str:
    return _by_remainder(class_id)


def _feat(class_id: int) -> str:
    return _parts("cub_feat")[class_id]


def _easyfsl(class_id: int) -> str:
    return _parts("cub_easyfsl")[class_id]


@cache
def _parts(name: str) -> dict[int, str]:
    return {int(row["class_id"]): row["part"] for row in split_list(name)}


def _halves(class_id: int) -> str:
    return "train" if class_id <= 100 else "test"


def _table(path: Path) -> dict[int, str]:
    """Reads CUB's `ID VALUE` lines."""
    try:
        rows = [line.split(maxsplit=1) for line in read_lines(path, _PREPARE)]
        return {int(number): value.strip() for number, value in rows}
    except ValueError as error:
        raise DataError(f"{path} is not a list of CUB-200-2011: {error}", _PREPARE) from error


def _image_table(root: Path, name: str) -> dict[int, str]:
    """Reads a table that must have a line for every image."""
    table, images = _table(root / name), _table(root / "images.txt")
    if absent := len(images.keys() - table.keys()):
        raise DataError(
            f"{root / name} lacks {absent:,} of the {len(images):,} images in images.txt", _PREPARE
        )
    return table


def _boxes(root: Path) -> dict[int, Box]:
    boxes: dict[int, Box] = {}
    name = _BOXES
    for image, values in _image_table(root, name).items():
        try:
            left, top, width, height = (round(float(value)) for value in values.split())
        except ValueError as error:
            raise DataError(
                f"{root / name} gives image {image} the box {values!r}, not four numbers", _PREPARE
            ) from error
        boxes[image] = left, top, left + width, top + height
    return boxes


def _by_class(
    part_of: Callable[[int], str], *, boxed: bool = False
) -> Callable[[Path, str], list[LabelledPath]]:
    def read(root: Path, part: str) -> list[LabelledPath]:
        boxes = _boxes(root) if boxed else {}
        return [
            LabelledPath(path, class_name, boxes.get(image))
            for image, path, class_id, class_name in _images(root)
            if part_of(class_id) == part
        ]

    return read


def _by_image(root: Path, part: str) -> list[LabelledPath]:
    wanted = "1" if part == "train" else "0"
    marks = _image_table(root, "train_test_split.txt")
    return [
        LabelledPath(path, class_name)
        for image, path, _, class_name in _images(root)
        if marks[image] == wanted
    ]


def _images(root: Path) -> list[tuple[int, str, int, str]]:
    """Lists the number, path, class number and class name of every image."""
    images = _table(root / "images.txt")
    class_ids = _table(root / "image_class_labels.txt")
    names = _table(root / "classes.txt")
    if images.keys() != class_ids.keys():
        raise DataError(
            f"images.txt ({len(images):,} images) and image_class_labels.txt ({len(class_ids):,}) "
            f"in {root} do not list the same images",
            _PREPARE,
        )
    folder = nested(root, "images")
    return [
        (image, f"{folder}/{path}", int(class_ids[image]), names[int(class_ids[image])])
        for image, path in images.items()
    ]


def _whole_and_boxed(
    name: str, part_of: Callable[[int], str], expected: dict[str, Counts]
) -> tuple[Division, Division]:
    parts = tuple(expected)
    return (
        Division(name, parts, _by_class(part_of), expected),
        Division(f"{name}-box", parts, _by_class(part_of, boxed=True), expected, needs=_BOXES),
    )


_CLOSERLOOK = {"base": Counts(5_885, 100), "val": Counts(2_950, 50), "novel": Counts(2_953, 50)}
_FEAT = {"base": Counts(5_891, 100), "val": Counts(2_932, 50), "novel": Counts(2_965, 50)}
_EASYFSL = {"base": Counts(8_239, 140), "val": Counts(1_779, 30), "novel": Counts(1_770, 30)}
_FRN = {"base": Counts(5_903, 100), "val": Counts(2_927, 50), "novel": Counts(2_958, 50)}
_HALVES = {"train": Counts(5_864, 100), "test": Counts(5_924, 100)}
_BY_IMAGE = {"train": Counts(5_994, 200), "test": Counts(5_794, 200)}

CUB = Dataset(
    name="cub",
    title="CUB-200-2011",
    licence="images from Flickr under their owners' terms; non-commercial research",
    source="Wah et al., The Caltech-UCSD Birds-200-2011 Dataset, CNS-TR-2011-001, Caltech 2011",
    obtain="CUB_200_2011.tgz from https://data.caltech.edu/records/65de6-vp158",
    marker="images.txt",
    divisions=(
        *_whole_and_boxed("closerlook", _closerlook, _CLOSERLOOK),
        *_whole_and_boxed("feat", _feat, _FEAT),
        *_whole_and_boxed("easyfsl", _easyfsl, _EASYFSL),
        *_whole_and_boxed("frn", _frn, _FRN),
        *_whole_and_boxed("dml-zeroshot", _halves, _HALVES),
        Division(
            "classification-split", tuple(_BY_IMAGE), _by_image, _BY_IMAGE, shared_classes=True
        ),
    ),
    others=(
        OtherDataset("CUB-200 of 2010", ("lists/files.txt", "lists/classes.txt")),
        OtherDataset("NABirds", ("images.txt", "hierarchy.txt")),
    ),
)
