"""Cars-196: 16,185 photographs of 196 car models (Krause et al., 3DRR workshop 2013).

`dml-zeroshot` trains on the first 98 classes and tests on the other 98, over the union of all
images; `dml-zeroshot-box` crops them to the car's box. `classification-split` is the authors' own
division with all classes in both parts, which some also score as retrieval.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lowlabel.datasets.base import Dataset, Division
from lowlabel.datasets.images import Box, Counts, LabelledPath
from lowlabel.datasets.io.lists import nested
from lowlabel.datasets.io.mat import read_mat
from lowlabel.datasets.kaggle_cars import LISTS, KaggleCar, read_kaggle_cars
from lowlabel.errors import DataError

_UNION = "cars_annos.mat"
_DEVKITS = ("devkit/", "", "car_devkit/devkit/", "car_devkit/")
_TRAIN, _META = (
    tuple(folder + name for folder in _DEVKITS)
    for name in ("cars_train_annos.mat", "cars_meta.mat")
)
_TEST = tuple(
    folder + name
    for name in (
        "cars_test_annos_withlabels.mat",
        "cars_test_annos_withlabels (1).mat",
        "cars_test_annos.mat",
    )
    for folder in _DEVKITS
)
_TRAIN_CLASSES = 98
_PREPARE = "Prepare it again: lowlabel prepare cars --archive FILE"


class _Car(NamedTuple):
    path: str
    class_id: int
    box: Box
    is_test: bool


def _cars(root: Path) -> tuple[list[_Car], list[str]]:
    """Lists all images and the class names, from any layout of the annotations."""
    if any((root / name).is_file() for name in LISTS):
        rows, kaggle_names = read_kaggle_cars(root)
        return [_from_kaggle(row) for row in rows], kaggle_names
    has_devkit = any((root / name).is_file() for name in _TRAIN)
    if (root / _UNION).is_file() and ((root / "car_ims").is_dir() or not has_devkit):
        return _from_union(root)
    images = []
    for part, candidates in (("train", _TRAIN), ("test", _TEST)):
        path = _first(root, candidates)
        cars = _listed(path, _load(path, "annotations")[0], "fname", f"cars_{part}/")
        folder = nested(root, f"cars_{part}")
        images += [car._replace(path=folder + car.path[len(f"cars_{part}") :]) for car in cars]
    return images, _texts(_load(_first(root, _META), "class_names")[0])


def _from_union(root: Path) -> tuple[list[_Car], list[str]]:
    if not (root / "car_ims").is_dir() and (root / "cars_train").is_dir():
        raise DataError(
            f"{root / _UNION} lists the images of car_ims/, but {root} holds cars_train/ and "
            "cars_test/, which have other numbers",
            "Add the lists of these folders: lowlabel prepare cars --archive FILE --archive "
            "car_devkit.tgz --archive cars_test_annos_withlabels.mat",
        )
    annotations, names = _load(root / _UNION, "annotations", "class_names")
    cars = _listed(root / _UNION, annotations, "relative_im_path", "")
    folder = nested(root, "car_ims")
    return [car._replace(path=folder + car.path.removeprefix("car_ims")) for car in cars], _texts(
        names
    )


def _from_kaggle(row: KaggleCar) -> _Car:
    left, top, right, bottom = row.box
    return _Car(row.path, row.class_id, (left - 1, top - 1, right, bottom), row.part == "test")


def _listed(path: Path, annotations: Any, name_field: str, folder: str) -> list[_Car]:
    """Reads one car per row of `annotations`; boxes become zero-based and half-open."""
    is_test = folder == "cars_test/"
    try:
        rows = np.atleast_1d(annotations)
        return [
            _Car(
                f"{folder}{row[name_field]}",
                int(row["class"]),
                (
                    int(row["bbox_x1"]) - 1,
                    int(row["bbox_y1"]) - 1,
                    int(row["bbox_x2"]),
                    int(row["bbox_y2"]),
                ),
                bool(row["test"]) if not folder else is_test,
            )
            for row in rows
        ]
    except (ValueError, IndexError, TypeError) as error:
        hint = (
            "The devkit's own test list has no classes. Get cars_test_annos_withlabels.mat, then: "
            "lowlabel prepare cars --archive FILE --archive cars_test_annos_withlabels.mat"
        )
        raise DataError(
            f"{path} does not list cars with their classes: {error}", hint if is_test else _PREPARE
        ) from error


def _load(path: Path, *names: str) -> list[Any]:
    """Reads variables of a MATLAB file; nothing in it is executed."""
    content = read_mat(path, names, f"cannot read Cars-196 annotations from {path}", _PREPARE)
    return [content[name] for name in names]


def _texts(names: Any) -> list[str]:
    return [str(name) for name in np.atleast_1d(names)]


def _first(root: Path, candidates: tuple[str, ...]) -> Path:
    for place in (root, root.parent):  # beside a linked folder are lists that were given with it
        for name in candidates:
            if (place / name).is_file():
                return place / name
    raise DataError(f"{root} holds none of {', '.join(candidates)}", _PREPARE)


def _reader(
    part_of: Callable[[_Car], str], *, boxed: bool = False
) -> Callable[[Path, str], list[LabelledPath]]:
    def read(root: Path, part: str) -> list[LabelledPath]:
        cars, names = _cars(root)
        highest = max(car.class_id for car in cars)
        if highest > len(names):
            raise DataError(
                f"the annotations under {root} use class {highest} but name {len(names)} classes",
                _PREPARE,
            )
        return [
            LabelledPath(
                car.path,
                f"{car.class_id:03d} {names[car.class_id - 1]}",
                car.box if boxed else None,
            )
            for car in cars
            if part_of(car) == part
        ]

    return read


def _halves(car: _Car) -> str:
    return "train" if car.class_id <= _TRAIN_CLASSES else "test"


def _by_image(car: _Car) -> str:
    return "test" if car.is_test else "train"


_HALVES = {"train": Counts(8_054, 98), "test": Counts(8_131, 98)}
_BY_IMAGE = {"train": Counts(8_144, 196), "test": Counts(8_041, 196)}
_PARTS = ("train", "test")

CARS = Dataset(
    name="cars",
    title="Cars-196",
    licence="images under their owners' terms; non-commercial research",
    source="Krause et al., 3D Object Representations for Fine-Grained Categorization, 3DRR 2013",
    obtain="car_ims.tgz with cars_annos.mat, or cars_train.tgz, cars_test.tgz and car_devkit.tgz "
    "with cars_test_annos_withlabels.mat, from a mirror: the home page "
    "http://ai.stanford.edu/~jkrause/cars/car_dataset.html no longer serves them",
    marker=_UNION,
    other_markers=(*_TRAIN, *LISTS[:2]),
    divisions=(
        Division("dml-zeroshot", _PARTS, _reader(_halves), _HALVES),
        Division("dml-zeroshot-box", _PARTS, _reader(_halves, boxed=True), _HALVES),
        Division(
            "classification-split", _PARTS, _reader(_by_image), _BY_IMAGE, shared_classes=True
        ),
    ),
)
