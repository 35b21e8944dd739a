"""Images of a data set on one sheet: `python -m lowlabel.analysis.contact_sheet demo sheet.jpg`."""

from pathlib import Path
from typing import Annotated

import typer
from PIL import Image, ImageOps

from lowlabel.datasets import ImageSet
from lowlabel.datasets.catalogue import open_dataset


def contact_sheet(images: ImageSet, classes: int, per_class: int, side: int) -> Image.Image:
    """Draws a row for each of the first classes, with its first images.

    Args:
        images: The images.
        classes: Rows.
        per_class: Columns.
        side: Of each picture, in pixels; pictures are cropped to squares.
    """
    sheet = Image.new("RGB", (per_class * side, classes * side), "white")
    for row in range(min(classes, len(images.class_names))):
        members = [p for p, label in zip(images.paths, images.labels, strict=True) if label == row]
        for column, path in enumerate(members[:per_class]):
            with Image.open(images.root / path) as image:
                sheet.paste(
                    ImageOps.fit(image.convert("RGB"), (side, side)), (column * side, row * side)
                )
    return sheet


def main(
    dataset: Annotated[str, typer.Argument(help="As for lowlabel run --dataset.")],
    output: Annotated[Path, typer.Argument(help="A .jpg or .png file.")],
    part: Annotated[str | None, typer.Option(help="The evaluated part by default.")] = None,
    classes: int = 10,
    per_class: int = 14,
    side: int = 64,
) -> None:
    """Writes a contact sheet of a data set."""
    opened = open_dataset(dataset, allow_partial=True)
    images = opened.load(part or opened.division.evaluated)
    contact_sheet(images, classes, per_class, side).save(output, quality=88)


if __name__ == "__main__":
    typer.run(main)
