"""Cars-196 as Kaggle hands it out: class folders of images beside headerless CSV lists.

`anno_train.csv` and `anno_test.csv` have the rows `FILE,x1,y1,x2,y2,CLASS` with the numbers of the
authors' devkit, and line K of `names.csv` names class K. The images are
`car_data/car_data/{train,test}/CLASS/FILE`.
"""

import csv
from pathlib import Path
from typing import NamedTuple

from lowlabel.datasets.io.listing import list_images
from lowlabel.datasets.io.lists import nested, read_lines
from lowlabel.errors import DataError

LISTS = ("anno_train.csv", "anno_test.csv", "names.csv")
_PREPARE = "Give the folder or archive with all of these: " + ", ".join(LISTS)


class KaggleCar(NamedTuple):
    """One row of a list: the image's path, its part and class, and its box as the list has it."""

    path: str
    part: str
    class_id: int
    box: tuple[int, ...]


def read_kaggle_cars(root: Path) -> tuple[list[KaggleCar], list[str]]:
    """Reads both lists, and the names of the classes.

    Raises:
        DataError: If a list is missing or is another one.
    """
    names = [row[0].strip() for row in csv.reader(read_lines(root / LISTS[2], _PREPARE))]
    return [car for part in ("train", "test") for car in _read_part(root, part)], names


def _read_part(root: Path, part: str) -> list[KaggleCar]:
    listing = root / f"anno_{part}.csv"
    data = nested(root, "car_data")
    folder = f"{data}/{part}" if (root / data).is_dir() else part
    images = list_images(root / folder).images if (root / folder).is_dir() else []
    places = {image.rpartition("/")[2]: image for image in images}
    cars = []
    for row in csv.reader(read_lines(listing, _PREPARE)):
        try:
            name, left, top, right, bottom, class_id = (value.strip() for value in row)
            box = (int(left), int(top), int(right), int(bottom))
            path = f"{folder}/{places.get(name, name)}"
            cars.append(KaggleCar(path, part, int(class_id), box))
        except ValueError as error:
            raise DataError(
                f"{listing} is not a list of cars: it has the row {','.join(row)!r}, not "
                "FILE,x1,y1,x2,y2,CLASS",
                _PREPARE,
            ) from error
    return cars
