"""Cars-196 on small trees in both published layouts."""

import numpy as np
import pytest
import scipy.io
from scipy.io import savemat

from lowlabel.datasets import DATASETS, open_dataset, prepare, read_card
from lowlabel.datasets.counts import load_part
from lowlabel.datasets.io.mat import read_mat
from lowlabel.errors import DataError


def annotations(paths, classes, path_field, tests=None):
    """MATLAB's struct array as the authors wrote it: one struct an image."""
    fields = ["bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", path_field]
    names = [*fields, "test"] if tests else fields
    rows = np.empty((1, len(paths)), dtype=[(name, object) for name in names])
    for column, (path, class_id) in enumerate(zip(paths, classes, strict=True)):
        values = [2, 3, 6, 7, class_id, path]
        rows[0, column] = tuple([*values, tests[column]] if tests else values)
    return rows


NAMES = np.array([f"Maker Model {number}" for number in range(1, 197)], dtype=object)


CLASSES = [number for number in range(1, 197) for _ in range(2)]


@pytest.fixture
def union(tmp_path, write_image):
    """`cars_annos.mat` over `car_ims`: two images a class, the second of them a test image."""
    root = tmp_path / "union"
    paths = [f"car_ims/{number:06d}.jpg" for number in range(1, 393)]
    for path in paths:
        write_image(root / path)
    mat = {
        "annotations": annotations(paths, CLASSES, "relative_im_path", [0, 1] * 196),
        "class_names": NAMES,
    }
    savemat(root / "cars_annos.mat", mat)
    return root


@pytest.fixture
def devkit(tmp_path, write_image):
    """The devkit's lists over `cars_train` and `cars_test`, each with one image a class."""
    root = tmp_path / "devkit-layout"
    files = [f"{number:05d}.jpg" for number in range(1, 197)]
    (root / "devkit").mkdir(parents=True)
    for part, name in (("train", "cars_train_annos"), ("test", "cars_test_annos_withlabels")):
        for file in files:
            write_image(root / f"cars_{part}" / file)
        listed = annotations(files, range(1, 197), "fname")
        savemat(root / "devkit" / f"{name}.mat", {"annotations": listed})
    savemat(root / "devkit" / "cars_meta.mat", {"class_names": NAMES})
    return root


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["union", "devkit"])
def test_cars_is_divided_by_class_or_by_image(request, layout):
    root, cars = request.getfixturevalue(layout), DATASETS["cars"]
    for name in ("dml-zeroshot", "dml-zeroshot-box"):
        division = cars.division(name)
        train, test = (load_part(cars, division, root, part) for part in division.parts)
        assert (train.counts, test.counts) == ((196, 98), (196, 98))
        assert not division.shared_classes
        assert train.class_names[0] == "001 Maker Model 1"
        assert train.class_names[-1] == "098 Maker Model 98"
        assert test.class_names[0] == "099 Maker Model 99"
        assert test.boxes == (((1, 2, 6, 7),) * 196 if name.endswith("box") else None)
        assert all((root / path).is_file() for path in test.paths)
        assert [counts.images for counts in division.expected.values()] == [8_054, 8_131]
    split = cars.division("classification-split")
    parts = [load_part(cars, split, root, part) for part in split.parts]
    assert split.shared_classes
    assert parts[0].class_names == parts[1].class_names
    assert [part.counts for part in parts] == [(196, 196)] * 2
    assert not set(parts[0].paths) & set(parts[1].paths)
    assert sum(counts.images for counts in split.expected.values()) == 16_185


def test_boxes_change_the_manifest(union):
    cars = DATASETS["cars"]
    whole, boxed = (
        load_part(cars, cars.division(name), union, "test")
        for name in ("dml-zeroshot", "dml-zeroshot-box")
    )
    assert whole.manifest_sha256 != boxed.manifest_sha256


def test_cars_without_classes_or_lists_is_refused(devkit, union):
    cars, division = DATASETS["cars"], DATASETS["cars"].divisions[0]
    labelled = devkit / "devkit" / "cars_test_annos_withlabels.mat"
    labelled.unlink()
    with pytest.raises(DataError, match=r"holds none of .*withlabels\.mat"):
        load_part(cars, division, devkit, "test")
    rows = np.empty((1, 2), dtype=[("bbox_x1", object), ("fname", object)])
    rows[0] = [(1, "00001.jpg"), (2, "00002.jpg")]
    savemat(devkit / "devkit" / "cars_test_annos.mat", {"annotations": rows})
    with pytest.raises(DataError, match=r"cars with their classes.*\n.*withlabels"):
        load_part(cars, division, devkit, "test")
    (union / "cars_annos.mat").write_bytes(b"no matlab")
    with pytest.raises(DataError, match=r"cannot read Cars-196 annotations from .*cars_annos\.mat"):
        load_part(cars, division, union, "test")


@pytest.mark.slow
def test_cars_is_prepared_from_several_archives(devkit, tmp_path, zipped):
    listed = tmp_path / "cars_test_annos_withlabels.mat"
    (devkit / "devkit" / listed.name).rename(listed)
    archives = [
        zipped(devkit / name, tmp_path / f"{name}.zip")
        for name in ("devkit", "cars_train", "cars_test")
    ]
    prepare(DATASETS["cars"], *archives, listed, allow_partial=True, title="Tiny Cars")
    opened = open_dataset("cars", allow_partial=True)
    assert opened.load("test").counts == (196, 98)
    assert read_card(DATASETS["cars"]).archive == (
        "devkit.zip + cars_train.zip + cars_test.zip + cars_test_annos_withlabels.mat"
    )


def test_annotations_that_a_process_of_their_own_cannot_read_are_not_read_here(
    tmp_path, monkeypatch
):
    """scipy may crash where damage leads it, and another choice of variables leads elsewhere."""
    path = tmp_path / "cars_annos.mat"
    savemat(path, {"a": np.arange(9.0), "b": np.arange(9.0)})
    damaged = path.read_bytes()
    path.write_bytes(damaged[:-40])

    def crash(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(scipy.io, "loadmat", crash)
    with pytest.raises(DataError, match="it is damaged: scipy does not read it"):
        read_mat(path, ("b",), "cannot read it", "Fetch it again.")
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="AssertionError"):  # a sound file is read here
        read_mat(path, ("b",), "cannot read it", "Fetch it again.")
