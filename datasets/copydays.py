"""INRIA Copydays: holiday photographs and altered copies of them (Douze et al., CIVR 2009).

157 originals in `original/`, and as queries 229 strong copies (printed and scanned, blurred,
painted over, …) in `strong/`, 157 copies at each of nine JPEG qualities in `jpegqual/3/` …
`jpegqual/75/`, and 157 with each of nine shares of the area cropped away in `crops/10/` …
`crops/80/`: the blocks of DINO's evaluation. A copy and its original share the first four
characters of their file names.
"""

from functools import partial
from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.listing import list_images
from lowlabel.errors import DataError

STRONG = "strong"
BLOCKS = {
    "jpegqual": (3, 5, 8, 10, 15, 20, 30, 50, 75),
    "crops": (10, 15, 20, 30, 40, 50, 60, 70, 80),
}
_SHARED_PREFIX = 4  # characters of the file names of an original and its copies


def copy_division(originals: int, copies: int, folder: str = STRONG) -> Division:
    """Declares the division that searches copies in a gallery of `original/` images.

    Args:
        originals: Number of originals in the full dataset.
        copies: Number of copies in the full dataset.
        folder: Folder of the copies; `jpegqual/3` is the division and part `jpegqual-3`.
    """
    name = folder.replace("/", "-")
    return Division(
        name,
        ("original", name),
        partial(_read, folder),
        {"original": Counts(originals), name: Counts(copies)},
        kind="copies",
        gallery="original",
        needs="" if folder == STRONG else folder,
    )


def _read(copies: str, root: Path, part: str) -> list[LabelledPath]:
    place = "original" if part == "original" else copies
    folder = root / place
    if not folder.is_dir():
        raise DataError(
            f"there is no folder {folder}",
            f"Put original/*.jpg and {copies}/*.jpg beside each other in {root}.",
        )
    paths = sorted(Path(place, image) for image in list_images(folder).images)
    return [LabelledPath(path.as_posix(), path.name[:_SHARED_PREFIX]) for path in paths]


COPYDAYS = Dataset(
    name="copydays",
    title="Copydays",
    licence="research use; INRIA keeps the rights to the photographs",
    source="Douze et al., Evaluation of GIST descriptors for web-scale image search, CIVR 2009",
    obtain="copydays_original.tar.gz and copydays_strong.tar.gz, unpacked as original/ and strong/"
    " in one archive (https://lear.inrialpes.fr/~jegou/data.php); further blocks as jpegqual/3/ … "
    "jpegqual/75/ and crops/10/ … crops/80/ beside them",
    marker="strong",
    divisions=(
        copy_division(157, 229),
        *(
            copy_division(157, 157, f"{kind}/{level}")
            for kind, levels in BLOCKS.items()
            for level in levels
        ),
    ),
)
