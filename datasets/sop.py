"""Stanford Online Products: 120,053 photographs of 22,634 products (Song et al., CVPR 2016).

arXiv:1511.06452. `dml-zeroshot` is the authors' division: 11,318 products to train on and 11,316
others to test on.
"""

from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.lists import read_lines
from lowlabel.errors import DataError

_HEADER = ["image_id", "class_id", "super_class_id", "path"]
_PREPARE = "Prepare it again: lowlabel prepare sop --archive Stanford_Online_Products.zip"


def _read(root: Path, part: str) -> list[LabelledPath]:
    listing = root / f"Ebay_{part}.txt"
    try:
        header, *rows = (line.split() for line in read_lines(listing, _PREPARE))
        if header != _HEADER:
            raise ValueError(f"its first line is not {' '.join(_HEADER)!r}")
        return [LabelledPath(path, class_id) for _, class_id, _, path in rows]
    except ValueError as error:
        raise DataError(
            f"{listing} is not a list of Stanford Online Products: {error}", _PREPARE
        ) from error


SOP = Dataset(
    name="sop",
    title="Stanford Online Products",
    licence="images from eBay under their owners' terms; research use",
    source="Song et al., CVPR 2016, arXiv:1511.06452",
    obtain="Stanford_Online_Products.zip from https://cvgl.stanford.edu/projects/lifted_struct",
    marker="Ebay_test.txt",
    divisions=(
        Division(
            "dml-zeroshot",
            ("train", "test"),
            _read,
            {"train": Counts(59_551, 11_318), "test": Counts(60_502, 11_316)},
        ),
    ),
    ks=(1, 10, 100, 1000),
)
