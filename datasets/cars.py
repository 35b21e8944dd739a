"""Cars-196: 16,185 photographs of 196 car models (Krause et al., 3DRR workshop 2013).

`dml-zeroshot` takes the first 98 classes for training and the others for the test, over the union
of all images; `dml-zeroshot-box` crops them to the car's box. `classification-split` is the
authors' own: all classes in both parts, which some score as retrieval.
"""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lowlabel.datasets.base import Box, Counts, Dataset, Division, LabelledPath
from lowlabel.errors import DataError

_UNION = "cars_annos.mat"
_TRAIN = ("devkit/cars_train_annos.mat", "cars_train_annos.mat")
_TEST = tuple(
    folder + name
    for name in ("cars_test_annos_withlabels.mat", "cars_test_annos.mat")
    for folder in ("devkit/", "")
)
_META = ("devkit/cars_meta.mat", "cars_meta.mat")
_TRAIN_CLASSES = 98
_MEND = "Prepare it again: lowlabel prepare cars --archive FILE"


class _Car(NamedTuple):
    path: str
    class_id: int
    box: Box
    is_test: bool


def _cars(root: Path) -> tuple[list[_Car], list[str]]:
    """All images and the classes' names, from either layout of the annotations."""
    if (root / _UNION).is_file():
        annotations, names = _load(root / _UNION, "annotations", "class_names")
        return _listed(root / _UNION, annotations, "relative_im_path", ""), _texts(names)
    images = []
    for part, candidates in (("train", _TRAIN), ("test", _TEST)):
        path = _first(root, candidates)
        images += _listed(path, _load(path, "annotations")[0], "fname", f"cars_{part}/")
    return images, _texts(_load(_first(root, _META), "class_names")[0])


def _listed(path: Path, annotations: Any, name_field: str, folder: str) -> list[_Car]:
    """One car a row of `annotations`; boxes become zero-based with an open end."""
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
        hint = "Get cars_test_annos_withlabels.mat: the devkit's own test list has no classes."
        raise DataError(
            f"{path} does not list cars with their classes: {error}", hint if is_test else _MEND
        ) from error


def _load(path: Path, *names: str) -> list[Any]:
    """Variables of a MATLAB file; nothing in it is executed."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(path, squeeze_me=True, variable_names=names)
        return [content[name] for name in names]
    except (OSError, ValueError, TypeError, KeyError, MatReadError, zlib.error) as error:
        raise DataError(f"{path} cannot be read as Cars-196's: {error}", _MEND) from error
    except NotImplementedError as error:  # MATLAB 7.3
        raise DataError(f"{path} is of another version than Cars-196's", _MEND) from error


def _texts(names: Any) -> list[str]:
    return [str(name) for name in np.atleast_1d(names)]


def _first(root: Path, candidates: tuple[str, ...]) -> Path:
    for name in candidates:
        if (root / name).is_file():
            return root / name
    raise DataError(f"{root} has none of {', '.join(candidates)}", _MEND)


def _reader(
    part_of: Callable[[_Car], str], *, boxed: bool = False
) -> Callable[[Path, str], list[LabelledPath]]:
    def read(root: Path, part: str) -> list[LabelledPath]:
        cars, names = _cars(root)
        highest = max(car.class_id for car in cars)
        if highest > len(names):
            raise DataError(f"{root} has cars of class {highest} of {len(names)} names", _MEND)
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
    "with cars_test_annos_withlabels.mat; their home page, "
    "http://ai.stanford.edu/~jkrause/cars/car_dataset.html, no longer serves them: a mirror of "
    "yours",
    marker=_UNION,
    other_markers=_TRAIN,
    divisions=(
        Division("dml-zeroshot", _PARTS, _reader(_halves), _HALVES),
        Division("dml-zeroshot-box", _PARTS, _reader(_halves, boxed=True), _HALVES),
        Division("classification-split", _PARTS, _reader(_by_image), _BY_IMAGE),
    ),
)
