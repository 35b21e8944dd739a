"""The retrieval sets' loaders on small trees in their true layouts."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from lowlabel.datasets import DATASETS, open_dataset, prepare, read_card
from lowlabel.datasets.counts import load_part
from lowlabel.errors import DataError


def write_image(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), value % 256, np.uint8)).save(path)


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(folder.rglob("*")):
            opened.write(path, path.relative_to(folder))
    return archive


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
def union(tmp_path):
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
def devkit(tmp_path):
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


@pytest.mark.parametrize("layout", ["union", "devkit"])
def test_cars_divisions(request, layout):
    root, cars = request.getfixturevalue(layout), DATASETS["cars"]
    for name in ("dml-zeroshot", "dml-zeroshot-box"):
        division = cars.division(name)
        train, test = (load_part(cars, division, root, part) for part in division.parts)
        assert (train.counts, test.counts) == ((196, 98), (196, 98))
        assert train.class_names[0] == "001 Maker Model 1"
        assert train.class_names[-1] == "098 Maker Model 98"
        assert test.class_names[0] == "099 Maker Model 99"
        assert test.boxes == (((1, 2, 6, 7),) * 196 if name.endswith("box") else None)
        assert all((root / path).is_file() for path in test.paths)
        assert [counts.images for counts in division.expected.values()] == [8_054, 8_131]
    split = cars.division("classification-split")
    parts = [load_part(cars, split, root, part) for part in split.parts]
    assert [part.counts for part in parts] == [(196, 196)] * 2
    assert not set(parts[0].paths) & set(parts[1].paths)
    assert sum(counts.images for counts in split.expected.values()) == 16_185


def test_box_changes_the_manifest(union):
    cars = DATASETS["cars"]
    whole, boxed = (
        load_part(cars, cars.division(name), union, "test")
        for name in ("dml-zeroshot", "dml-zeroshot-box")
    )
    assert whole.manifest_sha256 != boxed.manifest_sha256


def test_cars_without_test_classes_or_lists(devkit, union):
    cars, division = DATASETS["cars"], DATASETS["cars"].divisions[0]
    labelled = devkit / "devkit" / "cars_test_annos_withlabels.mat"
    labelled.unlink()
    with pytest.raises(DataError, match=r"has none of .*withlabels\.mat"):
        load_part(cars, division, devkit, "test")
    rows = np.empty((1, 2), dtype=[("bbox_x1", object), ("fname", object)])
    rows[0] = [(1, "00001.jpg"), (2, "00002.jpg")]
    savemat(devkit / "devkit" / "cars_test_annos.mat", {"annotations": rows})
    with pytest.raises(DataError, match=r"cars with their classes.*\n.*withlabels"):
        load_part(cars, division, devkit, "test")
    (union / "cars_annos.mat").write_bytes(b"no matlab")
    with pytest.raises(DataError, match=r"cars_annos\.mat cannot be read"):
        load_part(cars, division, union, "test")


def test_cars_prepared_from_several_archives(devkit, tmp_path):
    listed = tmp_path / "cars_test_annos_withlabels.mat"
    (devkit / "devkit" / listed.name).rename(listed)
    archives = []
    for name in ("devkit", "cars_train", "cars_test"):
        alone = tmp_path / "alone" / name
        alone.parent.mkdir(exist_ok=True)
        (devkit / name).rename(alone)
        archives.append(zipped(alone.parent, tmp_path / f"{name}.zip"))
        alone.rename(devkit / name)
    prepare(DATASETS["cars"], *archives, listed, allow_partial=True, title="Tiny Cars")
    opened = open_dataset("cars", allow_partial=True)
    assert opened.load("test").counts == (196, 98)
    assert read_card(DATASETS["cars"]).archive == (
        "devkit.zip + cars_train.zip + cars_test.zip + cars_test_annos_withlabels.mat"
    )


@pytest.fixture
def products(tmp_path):
    root = tmp_path / "Stanford_Online_Products"
    number = 0
    for part, classes in (("train", range(1, 4)), ("test", range(11_319, 11_323))):
        lines = ["image_id class_id super_class_id path"]
        for class_id in classes:
            for k in range(2):
                number += 1
                path = f"bicycle_final/{class_id}_{k}.JPG"
                write_image(root / path)
                lines.append(f"{number} {class_id} 1 {path}")
        (root / f"Ebay_{part}.txt").write_text("\n".join(lines) + "\n")
    return root


def test_products(products):
    sop, division = DATASETS["sop"], DATASETS["sop"].divisions[0]
    test = load_part(sop, division, products, "test")
    assert test.counts == (8, 4)
    assert test.class_names[0] == "11319"
    assert load_part(sop, division, products, "train").counts == (6, 3)
    assert division.expected["test"] == (60_502, 11_316)
    assert sop.ks == (1, 10, 100, 1000)
    for text in ("1 1 1 a.JPG\n", "image_id class_id super_class_id path\n1 1 a.JPG\n", ""):
        (products / "Ebay_test.txt").write_text(text)
        with pytest.raises(DataError, match="not a list of Stanford Online Products"):
            load_part(sop, division, products, "test")


@pytest.fixture
def clothes(tmp_path):
    root = tmp_path / "inshop"
    rows = []
    for item in range(1, 6):
        statuses = ["train", "train"] if item < 3 else ["query", "gallery", "gallery"]
        for k, status in enumerate(statuses):
            path = f"img/WOMEN/Dresses/id_{item:08d}/0{k}_1_front.jpg"
            write_image(root / path)
            rows.append(f"{path}    id_{item:08d} {status}")
    lines = [str(len(rows)), "image_name item_id evaluation_status", *rows]
    (root / "Eval").mkdir()
    (root / "Eval" / "list_eval_partition.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize("layout", ["Eval", "flat", "Img"])
def test_clothes(clothes, layout):
    listing = clothes / "Eval" / "list_eval_partition.txt"
    if layout == "flat":
        listing.rename(clothes / listing.name)
    if layout == "Img":
        (clothes / "Img").mkdir()
        (clothes / "img").rename(clothes / "Img" / "img")
    inshop, division = DATASETS["inshop"], DATASETS["inshop"].divisions[0]
    parts = {part: load_part(inshop, division, clothes, part) for part in division.parts}
    assert {name: part.counts for name, part in parts.items()} == {
        "train": (4, 2), "gallery": (6, 3), "query": (3, 3),
    }  # fmt: skip
    assert parts["query"].class_names == parts["gallery"].class_names
    assert (division.evaluated, division.gallery, division.train_part) == (
        "query",
        "gallery",
        "train",
    )
    assert all((clothes / path).is_file() for part in parts.values() for path in part.paths)
    assert sum(counts.images for counts in division.expected.values()) == 52_712


def test_clothes_list_that_was_cut_off(clothes):
    listing = clothes / "Eval" / "list_eval_partition.txt"
    listing.write_text("".join(line + "\n" for line in listing.read_text().splitlines()[:-2]))
    inshop, division = DATASETS["inshop"], DATASETS["inshop"].divisions[0]
    with pytest.raises(DataError, match="it has 11 images, its first line says 13"):
        load_part(inshop, division, clothes, "query")


def test_clothes_prepared_from_images_and_list(clothes, tmp_path):
    images = zipped(clothes, tmp_path / "img.zip")
    listing = tmp_path / "list_eval_partition.txt"
    (clothes / "Eval" / listing.name).rename(listing)
    with pytest.raises(DataError, match=r"query: found 3 images of 3 classes, the full set has 14"):
        prepare(DATASETS["inshop"], images, listing)
    prepare(DATASETS["inshop"], images, listing, allow_partial=True)
    assert open_dataset("inshop", allow_partial=True).load("query").counts == (3, 3)
