"""CUB-200-2011: 11,788 photographs of 200 bird species (Wah et al., Caltech 2011).

Four divisions are in use and must never be mixed: `closerlook` (Chen et al., ICLR 2019,
arXiv:1904.04232), `feat` (Ye et al., CVPR 2020, arXiv:1812.03664), `easyfsl` (140/30/30 classes,
https://github.com/sicara/easy-few-shot-learning) and, for zero-shot retrieval, `dml-zeroshot`
with the first hundred classes for training and the others for the test.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from lowlabel.datasets.base import Counts, Dataset, LabelledPath, Scheme
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


def _reader(part_of: Callable[[int], str]) -> Callable[[Path, str], list[LabelledPath]]:
    def read(root: Path, part: str) -> list[LabelledPath]:
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
            LabelledPath(f"images/{path}", names[int(class_ids[image])])
            for image, path in images.items()
            if part_of(int(class_ids[image])) == part
        ]

    return read


def _scheme(name: str, part_of: Callable[[int], str], **expected: tuple[int, int]) -> Scheme:
    counts = {part: Counts(*pair) for part, pair in expected.items()}
    return Scheme(name, tuple(expected), _reader(part_of), counts)


CUB = Dataset(
    name="cub",
    title="CUB-200-2011",
    licence="images from Flickr under their owners' terms; non-commercial research",
    source="Wah et al., The Caltech-UCSD Birds-200-2011 Dataset, CNS-TR-2011-001, Caltech 2011",
    obtain="CUB_200_2011.tgz from https://data.caltech.edu/records/65de6-vp158",
    marker="images.txt",
    schemes=(
        _scheme("closerlook", _closerlook, base=(5_885, 100), val=(2_950, 50), novel=(2_953, 50)),
        _scheme("feat", _feat, base=(5_891, 100), val=(2_932, 50), novel=(2_965, 50)),
        _scheme("easyfsl", _easyfsl, base=(8_239, 140), val=(1_779, 30), novel=(1_770, 30)),
        _scheme("dml-zeroshot", _halves, train=(5_864, 100), test=(5_924, 100)),
    ),
    default_schemes={"fewshot": "closerlook", "retrieval": "dml-zeroshot"},
)
