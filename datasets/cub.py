"""CUB-200-2011: 11,788 photographs of 200 bird species (Wah et al., Caltech 2011).

Several divisions are in use and must never be mixed: `closerlook` (Chen et al., ICLR 2019,
arXiv:1904.04232), `feat` (Ye et al., CVPR 2020, arXiv:1812.03664), `easyfsl` (140/30/30 classes,
https://github.com/sicara/easy-few-shot-learning) and, for zero-shot retrieval, `dml-zeroshot`
with the first hundred classes for training and the others for the test. Each has a twin `-box`
whose images are cropped to the bird's box, as FEAT has them. `classification-split` is the
authors' own: all classes in both parts, which some score as retrieval.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from lowlabel.datasets.base import Box, Counts, Dataset, Division, LabelledPath
from lowlabel.datasets.split_lists import split_list
from lowlabel.errors import DataError

_MEND = "Prepare the data set again: lowlabel prepare cub --archive CUB_200_2011.tgz"


def _closerlook(class_id: int) -> str:
    index = class_id - 1
    if index % 2 == 0:
        return "base"
    return "val" if index % 4 == 1 else "novel"


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
        rows = [line.split(maxsplit=1) for line in path.read_text().splitlines() if line.strip()]
        return {int(number): value.strip() for number, value in rows}
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} is not a list of CUB-200-2011: {error}",
            _MEND,
        ) from error


def _facts(root: Path, name: str) -> dict[int, str]:
    """A table that must have a line for every image."""
    facts = _table(root / name)
    if absent := len(_table(root / "images.txt").keys() - facts.keys()):
        raise DataError(f"{root / name} lacks {absent} of the images in images.txt", _MEND)
    return facts


def _boxes(root: Path) -> dict[int, Box]:
    boxes: dict[int, Box] = {}
    name = "bounding_boxes.txt"
    for image, values in _facts(root, name).items():
        try:
            left, top, width, height = (round(float(value)) for value in values.split())
        except ValueError as error:
            raise DataError(f"{root / name} has no box in {values!r}", _MEND) from error
        boxes[image] = left, top, left + width, top + height
    return boxes


def _by_class(
    part_of: Callable[[int], str], *, boxed: bool = False
) -> Callable[[Path, str], list[LabelledPath]]:
    def read(root: Path, part: str) -> list[LabelledPath]:
        boxes = _boxes(root) if boxed else {}
        return [
            LabelledPath(f"images/{path}", class_name, boxes.get(image))
            for image, path, class_id, class_name in _images(root)
            if part_of(class_id) == part
        ]

    return read


def _by_image(root: Path, part: str) -> list[LabelledPath]:
    wanted = "1" if part == "train" else "0"
    marks = _facts(root, "train_test_split.txt")
    return [
        LabelledPath(f"images/{path}", class_name)
        for image, path, _, class_name in _images(root)
        if marks[image] == wanted
    ]


def _images(root: Path) -> list[tuple[int, str, int, str]]:
    """Every image's number, path, class number and class."""
    images = _table(root / "images.txt")
    class_ids = _table(root / "image_class_labels.txt")
    names = _table(root / "classes.txt")
    if images.keys() != class_ids.keys():
        raise DataError(
            f"images.txt and image_class_labels.txt of {root} name {len(images)} and "
            f"{len(class_ids)} images, not the same ones",
            _MEND,
        )
    return [
        (image, path, int(class_ids[image]), names[int(class_ids[image])])
        for image, path in images.items()
    ]


def _division(
    name: str, read: Callable[[Path, str], list[LabelledPath]], **expected: tuple[int, int]
) -> Division:
    counts = {part: Counts(*pair) for part, pair in expected.items()}
    return Division(name, tuple(expected), read, counts)


def _whole_and_boxed(
    name: str, part_of: Callable[[int], str], expected: dict[str, tuple[int, int]]
) -> tuple[Division, Division]:
    return (
        _division(name, _by_class(part_of), **expected),
        _division(f"{name}-box", _by_class(part_of, boxed=True), **expected),
    )


_CLOSERLOOK = {"base": (5_885, 100), "val": (2_950, 50), "novel": (2_953, 50)}
_FEAT = {"base": (5_891, 100), "val": (2_932, 50), "novel": (2_965, 50)}
_EASYFSL = {"base": (8_239, 140), "val": (1_779, 30), "novel": (1_770, 30)}
_HALVES = {"train": (5_864, 100), "test": (5_924, 100)}
_BY_IMAGE = {"train": (5_994, 200), "test": (5_794, 200)}


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
        *_whole_and_boxed("dml-zeroshot", _halves, _HALVES),
        _division("classification-split", _by_image, **_BY_IMAGE),
    ),
)
