"""Pictures in files."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lowlabel.errors import InputError
from lowlabel.paths import atomic_write, writable_dir

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def save_picture(picture: "Image", path: Path) -> None:
    """Writes an RGB picture in the format that the file's name tells, and says so.

    Raises:
        InputError: If the name ends on no format that is written.
        DataError: If the file cannot be written.
    """
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"no picture can be written to {path}", "Name a .png or .jpg file.")
    writable_dir(path.parent)
    with atomic_write(path) as temporary:
        picture.save(temporary, kind, quality=80)
    typer.echo(f"written: {path}", err=True)
