"""INRIA Copydays: holiday photographs and altered copies of them (Douze et al., CIVR 2009).

157 originals and 229 strong copies (printed and scanned, blurred, painted over, …). A copy and its
original share the first four characters of their file names.
"""

from pathlib import Path

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.images import Counts, LabelledPath
from lowlabel.datasets.io.listing import list_images
from lowlabel.errors import DataError

_SHARED_PREFIX = 4  # characters of the file names of an original and its copies


def copy_division(originals: int, strong: int) -> Division:
    """Declares the division that searches `strong/` copies in a gallery of `original/` images.

    Args:
        originals: Number of originals in the full dataset.
        strong: Number of strong copies in the full dataset.
    """
    return Division(
        "strong",
        ("original", "strong"),
        _read,
        {"original": Counts(originals), "strong": Counts(strong)},
        kind="copies",
        gallery="original",
    )


def _read(root: Path, part: str) -> list[LabelledPath]:
    folder = root / part
    if not folder.is_dir():
        raise DataError(
            f"there is no folder {folder}",
            f"Put original/*.jpg and strong/*.jpg beside each other in {root}.",
        )
    paths = sorted(Path(part, image) for image in list_images(folder).images)
    return [LabelledPath(path.as_posix(), path.name[:_SHARED_PREFIX]) for path in paths]


COPYDAYS = Dataset(
    name="copydays",
    title="Copydays",
    licence="research use; INRIA keeps the rights to the photographs",
    source="Douze et al., Evaluation of GIST descriptors for web-scale image search, CIVR 2009",
    obtain="copydays_original.tar.gz and copydays_strong.tar.gz, unpacked as original/ and strong/"
    " in one archive (https://lear.inrialpes.fr/~jegou/data.php)",
    marker="strong",
    divisions=(copy_division(157, 229),),
)
