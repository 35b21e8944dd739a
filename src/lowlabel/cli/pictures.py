"""Pictures in files."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lowlabel.cli.options import RESULTS_FOLDER, option
from lowlabel.errors import DataError, InputError
from lowlabel.paths import writable_dir, write_file

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}

PictureFile = Annotated[
    Path | None,
    option(
        "Results",
        "Picture to write (.png or .jpg).",
        "--output",
        default=RESULTS_FOLDER,
    ),
]


def read_picture(path: str | Path, orientation: str = "stored") -> "Image":
    """Opens an image file, or one inside a shard, in RGB.

    Raises:
        DataError: If the file is missing or no image.
    """
    from lowlabel.datasets.io.boxed import open_image
    from lowlabel.datasets.io.pixels import known_orientation, must_decode
    from lowlabel.datasets.sources.members import container_of

    file = Path(path)
    if not file.is_file() and container_of(file) is None:
        raise DataError(f"there is no image file {file}", "Check the path.")
    with must_decode(file):
        return open_image(file, None, known_orientation(orientation))[0]


def picture_format(path: Path) -> str:
    """The format of a picture file, by its suffix.

    Raises:
        InputError: If the suffix is not .png, .jpg or .jpeg.
    """
    if path.suffix.lower() not in _FORMATS:
        raise InputError(f"cannot write a picture to {path}", "Name a .png or .jpg file.")
    return _FORMATS[path.suffix.lower()]


def save_picture(picture: "Image", path: Path) -> None:
    """Writes an RGB picture in the format of the file's suffix and prints the path.

    Raises:
        InputError: If the suffix is not .png, .jpg or .jpeg.
        DataError: If the file cannot be written.
    """
    kind = picture_format(path)
    writable_dir(path.parent)
    encoded = io.BytesIO()
    picture.save(encoded, kind, quality=80)
    write_file(path, encoded.getvalue())
    typer.echo(f"written: {path}", err=True)
