"""INRIA Copydays: holiday photographs and altered copies of them (Douze et al., CIVR 2009).

157 originals and 229 strong copies (printed and scanned, blurred, painted over, …). A copy belongs
to the original whose file name begins with the same four characters.
"""

from pathlib import Path

from lowlabel.datasets.base import Counts, Dataset, Division, LabelledPath
from lowlabel.datasets.folder import IMAGE_SUFFIXES
from lowlabel.errors import DataError

_NAME = 4  # characters of a file name that an original and its copies share


def copy_division(originals: int, strong: int) -> Division:
    """The strong copies as queries against the originals, for folders of those names.

    Args:
        originals: The full set's number of images.
        strong: Likewise.
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
            "Copydays is unpacked as original/*.jpg and strong/*.jpg beside each other.",
        )
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    return [LabelledPath(p.relative_to(root).as_posix(), p.name[:_NAME]) for p in paths]


COPYDAYS = Dataset(
    name="copydays",
    title="Copydays",
    licence="INRIA's, for research; the photographs' rights remain with INRIA",
    source="Douze et al., Evaluation of GIST descriptors for web-scale image search, CIVR 2009",
    obtain="copydays_original.tar.gz and copydays_strong.tar.gz, unpacked as original/ and strong/"
    " in one archive (https://lear.inrialpes.fr/~jegou/data.php)",
    marker="strong",
    divisions=(copy_division(157, 229),),
)
