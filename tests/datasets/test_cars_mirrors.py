"""Cars-196 as mirrors hand it out."""

import numpy as np
import pytest
from scipy.io import savemat

from lowlabel.cli import main
from lowlabel.datasets import DATASETS, open_dataset, prepare
from lowlabel.errors import DataError

FIELDS = ["bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "fname"]
NAMES = [f"Maker C/V {number}" for number in range(1, 197)]


def files_of(part):
    """Two images of classes 1 and 150 in each part; both parts use the same file names."""
    return (
        {"00001.jpg": 1, "00002.jpg": 150}
        if part == "train"
        else {"00001.jpg": 150, "00002.jpg": 1}
    )


def save_list(path, part):
    rows = np.empty((1, 2), dtype=[(name, object) for name in FIELDS])
    for column, (file, class_id) in enumerate(files_of(part).items()):
        rows[0, column] = (2, 3, 6, 7, class_id, file)
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"annotations": rows})


def check(prefix):
    for name in ("dml-zeroshot-box", "classification-split"):
        opened = open_dataset(f"cars:{name}", allow_partial=True)
        train, test = opened.load("train"), opened.load("test")
        if name == "classification-split":
            assert {path.rpartition("/")[2] for path in test.paths} == {"00001.jpg", "00002.jpg"}
            assert all(path.startswith(prefix.replace("{}", "test")) for path in test.paths)
            assert train.class_names == test.class_names
        else:
            assert train.class_names == ("001 Maker C/V 1",)
            assert test.class_names == ("150 Maker C/V 150",)
            assert sorted(path.rpartition("/")[2] for path in test.paths) == [
                "00001.jpg",
                "00002.jpg",
            ]
            assert test.boxes == ((1, 2, 6, 7),) * 2


@pytest.mark.slow
@pytest.mark.parametrize("nested", ["", "cars_{}/"])
@pytest.mark.parametrize("devkit", ["devkit/", "car_devkit/devkit/", ""])
def test_nested_folders_and_devkits_are_found(tmp_path, write_image, nested, devkit):
    root = tmp_path / "stanford_cars"
    for part in ("train", "test"):
        for file in files_of(part):
            write_image(root / f"cars_{part}" / nested.format(part) / file)
    save_list(root / f"{devkit}cars_train_annos.mat", "train")
    savemat(root / f"{devkit}cars_meta.mat", {"class_names": np.array(NAMES, dtype=object)})
    save_list(tmp_path / "cars_test_annos_withlabels.mat", "test")
    labelled = tmp_path / "cars_test_annos_withlabels.mat"
    prepare(DATASETS["cars"], root, labelled, allow_partial=True)  # a list beside a linked folder
    check("cars_{}/" + nested)


@pytest.fixture
def kaggle(tmp_path, write_image):
    root = tmp_path / "archive"
    for part in ("train", "test"):
        rows = []
        for file, class_id in files_of(part).items():
            folder = NAMES[class_id - 1].replace("/", "-")
            write_image(root / "car_data" / "car_data" / part / folder / file)
            rows.append(f"{file},2,3,6,7,{class_id}")
        (root / f"anno_{part}.csv").write_text("\r\n".join(rows), "utf-8-sig")
    (root / "names.csv").write_text("\n".join(NAMES))
    return root


def test_kaggles_class_folders_are_read_by_their_lists(kaggle):
    prepare(DATASETS["cars"], kaggle, allow_partial=True)
    check("car_data/car_data/{}/Maker")


@pytest.mark.parametrize("absent", ["anno_test.csv", "names.csv"])
def test_kaggles_cars_need_all_lists(kaggle, absent):
    (kaggle / absent).unlink()
    with pytest.raises(DataError, match=rf"cannot read the list .*{absent}") as error:
        prepare(DATASETS["cars"], kaggle, allow_partial=True)
    assert "anno_train.csv, anno_test.csv, names.csv" in error.value.hint


def test_other_csv_lists_are_refused(kaggle):
    (kaggle / "anno_test.csv").write_text("file,x1,y1,x2,y2,class\n")
    with pytest.raises(DataError, match=r"anno_test\.csv is not a list of cars"):
        prepare(DATASETS["cars"], kaggle, allow_partial=True)


@pytest.mark.slow
def test_a_list_of_car_ims_does_not_stand_for_the_folders_of_the_devkit(tmp_path, write_image):
    root = tmp_path / "archive"
    for part in ("train", "test"):
        for file in files_of(part):
            write_image(root / f"cars_{part}" / f"cars_{part}" / file)
    savemat(root / "cars_annos.mat", {"annotations": np.zeros(1), "class_names": np.zeros(1)})
    with pytest.raises(DataError, match=r"lists the images of car_ims/, but .* cars_train/"):
        prepare(DATASETS["cars"], root, allow_partial=True)
    for part, name in (("train", "cars_train_annos"), ("test", "cars_test_annos_withlabels")):
        save_list(root / "devkit" / f"{name}.mat", part)
    savemat(root / "devkit" / "cars_meta.mat", {"class_names": np.array(NAMES, dtype=object)})
    prepare(DATASETS["cars"], root, allow_partial=True)
    check("cars_{}/cars_{}/")


def test_cub_is_found_in_a_nested_folder(tmp_path, write_image):
    root = tmp_path / "CUB_200_2011" / "CUB_200_2011"
    lists = {"images": [], "image_class_labels": [], "classes": [], "train_test_split": []}
    for class_id in range(1, 201):
        lists["classes"].append(f"{class_id} {class_id:03d}.Bird")
        lists["images"].append(f"{class_id} {class_id:03d}.Bird/0.jpg")
        lists["image_class_labels"].append(f"{class_id} {class_id}")
        lists["train_test_split"].append(f"{class_id} {class_id % 2}")
        write_image(root / "images" / "images" / f"{class_id:03d}.Bird" / "0.jpg")
    for name, rows in lists.items():
        (root / f"{name}.txt").write_text("\r\n".join(rows), "utf-8-sig")
    (root / "bounding_boxes.txt").write_text(
        "\n".join(f"{n} 1.0 1.0 4.0 4.0" for n in range(1, 201))
    )
    prepare(DATASETS["cub"], tmp_path / "CUB_200_2011", allow_partial=True)
    test = open_dataset("cub:dml-zeroshot", allow_partial=True).load("test")
    assert test.counts == (100, 100)
    assert test.paths[0] == "images/images/101.Bird/0.jpg"


def test_divisions_that_lack_their_lists_are_named(tmp_path, write_image, capsys):
    root = tmp_path / "CUB_200_2011"
    numbers = range(1, 201)
    for class_id in numbers:
        write_image(root / "images" / f"{class_id:03d}.Bird" / "0.jpg")
    for name, value in (
        ("images", "{0:03d}.Bird/0.jpg"),
        ("image_class_labels", "{0}"),
        ("classes", "{0:03d}.Bird"),
    ):
        rows = (f"{class_id} {value.format(class_id)}" for class_id in numbers)
        (root / f"{name}.txt").write_text("\n".join(rows))
    with pytest.raises(SystemExit) as ended:
        main(["prepare", "cub", "--archive", str(root), "--allow-partial"])
    assert not ended.value.code
    said = capsys.readouterr().err
    assert "incomplete: closerlook base: found 100 images of 100 classes" in said
    assert "incomplete: closerlook-box cannot be used: there is no bounding_boxes.txt" in said
    assert "incomplete: classification-split cannot be used: cannot read the list" in said
    assert open_dataset("cub:dml-zeroshot", allow_partial=True).load("test").counts == (100, 100)


@pytest.mark.parametrize("place", ["img/img", "Img/img", "Img/img/img"])
def test_in_shop_is_found_in_nested_folders(tmp_path, write_image, place):
    root = tmp_path / "In-shop"
    rows = []
    for status in ("train", "query", "gallery"):
        write_image(root / place / f"{status}.jpg")
        rows.append(f"img/{status}.jpg id_{status == 'train':08d} {status}")
    (root / "Eval").mkdir()
    lines = ["3", "image_name item_id evaluation_status", *rows]
    (root / "Eval" / "list_eval_partition.txt").write_text("\n".join(lines), "utf-8-sig")
    prepare(DATASETS["inshop"], root, allow_partial=True)
    query = open_dataset("inshop", allow_partial=True).load("query")
    assert query.paths == (f"{place}/query.jpg",)
