"""Sheet of the images of a dataset: `python -m lowlabel.analysis.contact_sheet demo sheet.jpg`."""

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image, ImageOps

from lowlabel.datasets import ImageSet, OpenDataset, open_dataset
from lowlabel.datasets.io.boxed import open_image
from lowlabel.datasets.io.pixels import must_decode
from lowlabel.errors import InputError, UserError

USER_ERROR = 2


def contact_sheet(images: ImageSet, classes: int, per_class: int, side: int) -> Image.Image:
    """Draws the first images of the first classes, one row per class.

    Args:
        images: The images; those with a box are cropped to it.
        classes: Largest number of rows.
        per_class: Number of columns.
        side: Side of each picture in pixels; pictures are cropped to squares.

    Raises:
        InputError: If a number is less than 1.
        DataError: If an image cannot be decoded.
    """
    for name, value in {"classes": classes, "per-class": per_class, "side": side}.items():
        if value < 1:
            raise InputError(f"{name}={value} must be at least 1")
    rows = min(classes, len(images.class_names))
    sheet = Image.new("RGB", (per_class * side, rows * side), "white")
    for row in range(rows):
        for column, index in enumerate(np.flatnonzero(images.labels == row)[:per_class]):
            picture = ImageOps.fit(_picture(images, int(index)), (side, side))
            sheet.paste(picture, (column * side, row * side))
    return sheet


def _picture(images: ImageSet, index: int) -> Image.Image:
    path = images.root / images.paths[index]
    with must_decode(path):
        return open_image(path, images.boxes[index] if images.boxes else None)[0]


def _load(opened: OpenDataset, part: str | None) -> ImageSet:
    parts = opened.division.parts
    if part is not None and part not in parts:
        raise InputError(
            f"{opened.name} has no part {part!r}", f"Choose --part from {', '.join(parts)}."
        )
    return opened.load(part or opened.division.evaluated)


def _save(sheet: Image.Image, path: Path) -> None:
    try:
        sheet.save(path, quality=88)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot write {path}: {error}", "Name a .jpg or .png file in an existing folder."
        ) from error


def main(
    dataset: Annotated[
        str, typer.Argument(help="Name of the dataset, as in lowlabel run --dataset.")
    ],
    output: Annotated[Path, typer.Argument(help="The .jpg or .png file to write.")],
    part: Annotated[
        str | None, typer.Option(help="Part of the dataset; the evaluated part by default.")
    ] = None,
    classes: Annotated[int, typer.Option(help="Largest number of rows, one per class.")] = 10,
    per_class: Annotated[int, typer.Option(help="Number of columns.")] = 14,
    side: Annotated[int, typer.Option(help="Side of each picture in pixels.")] = 64,
) -> None:
    """Save the first images of the first classes of a dataset as one picture."""
    images = _load(open_dataset(dataset, allow_partial=True), part)
    _save(contact_sheet(images, classes, per_class, side), output)


if __name__ == "__main__":
    try:
        typer.run(main)
    except UserError as user_error:
        typer.echo(f"error: {user_error}", err=True)
        sys.exit(USER_ERROR)
