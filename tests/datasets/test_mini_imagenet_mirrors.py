"""mini-ImageNet as mirrors hand it out; the class alone decides the part."""

import builtins
import io
import json
import pickle

import numpy as np
import pytest
from PIL import Image

from lowlabel.datasets import DATASETS, open_dataset, prepare, prepared_folder
from lowlabel.datasets.splits import split_list
from lowlabel.errors import DataError

MINI = DATASETS["mini-imagenet"]
PARTS = {"base": "train", "val": "val", "novel": "test"}
CLASSES = {
    part: [row["wnid"] for row in split_list("mini_imagenet") if row["part"] == part][:2]
    for part in PARTS
} | {"novel": ["n01930112", "n01981276"]}
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 84, 84, 3), np.uint8)


def prepared(source):
    prepare(MINI, source, allow_partial=True)
    opened = open_dataset("mini-imagenet", allow_partial=True)
    return {part: opened.load(part) for part in PARTS}


def classes(parts):
    return {part: list(images.class_names) for part, images in parts.items()}


def expected(*parts):
    return {part: sorted(CLASSES[part]) for part in parts or PARTS}


@pytest.mark.parametrize(
    "place", ["{wnid}", "{name}/{wnid}", "train/{wnid}", "mini/mini/{wnid}", "images/images"]
)
@pytest.mark.parametrize("with_lists", [True, False])
def test_class_folders_are_read_with_and_without_lists(tmp_path, write_image, place, with_lists):
    if place == "images/images" and not with_lists:
        pytest.skip("files without class folders need the lists")
    root = tmp_path / "mirror"
    top = root / "mini" / "mini" if place.startswith("mini/") else root
    top.mkdir(parents=True)
    for part, name in PARTS.items():
        rows = []
        for wnid in CLASSES[part]:
            for k in range(3):
                file = f"{wnid}{k:08d}.jpg"
                write_image(root / place.format(wnid=wnid, name=name) / file)
                rows.append(f"{file},{wnid}")
        if with_lists:
            (top / f"{name}.csv").write_text("\r\n".join(["filename,label", *rows]), "utf-8-sig")
    if place == "train/{wnid}" and not with_lists:  # the parts of a mirror are no matter
        write_image(root / "test" / "n01930112" / "n0193011200000009.jpg")
    found = prepared(root)
    assert classes(found) == expected()
    assert [len(images) for images in found.values()][:2] == [6, 6]


@pytest.fixture(params=["cache", "split", "single files"])
def pickles(request, tmp_path):
    root = tmp_path / "pickles"
    root.mkdir()
    names = ("train_phase_train", "val", "test") if request.param == "split" else PARTS.values()
    files = []
    for part, name in zip(PARTS, names, strict=True):
        first, second = CLASSES[part]
        if request.param == "split":
            labels = {first: 7, second: 9}
            content = {"data": PIXELS, "labels": [7, 9] * 3, "catname2label": labels}
            file = f"miniImageNet_category_split_{name}.pickle"
        else:
            content = {"image_data": PIXELS, "class_dict": {first: [0, 2, 4], second: [1, 3, 5]}}
            file = f"mini-imagenet-cache-{name}.pkl"
        files.append(root / file)
        files[-1].write_bytes(pickle.dumps(content, 2))
    return files if request.param == "single files" else [root]


def test_pickles_become_images_of_the_same_pixels(pickles):
    before = [path.read_bytes() for path in pickles if path.is_file()]
    prepare(MINI, *pickles, allow_partial=True)
    opened = open_dataset("mini-imagenet", allow_partial=True)
    assert classes({part: opened.load(part) for part in PARTS}) == expected()
    for part in PARTS:
        images = opened.load(part)
        for wnid, rows in zip(CLASSES[part], (PIXELS[::2], PIXELS[1::2]), strict=True):
            paths = [path for path in images.paths if f"/{wnid}/" in path]
            pixels = [np.asarray(Image.open(images.root / path)) for path in paths]
            assert np.array_equal(np.stack(pixels), rows)
    assert [path.read_bytes() for path in pickles if path.is_file()] == before
    left = {path.name for path in prepared_folder(MINI).iterdir()}
    assert left == {"lowlabel.json", "mini-imagenet-images"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"image_data": PIXELS}, "no known pickle of mini-ImageNet"),
        ({"image_data": PIXELS, "class_dict": {"n01532829": [0, 9]}}, "no known pickle"),
        ({"image_data": PIXELS, "class_dict": {"n01532829": [0]}}, "6 images and classes for 1"),
        (
            {"image_data": PIXELS / 255, "class_dict": {"n01532829": range(0)}},
            "not a pickle of plain",
        ),
        ({"image_data": PIXELS, "class_dict": {"n01440764": [0]}}, "classes of mini|classes for 1"),
    ],
)
def test_other_pickles_are_refused(tmp_path, content, message):
    (tmp_path / "p").mkdir()
    for name in PARTS.values():
        (tmp_path / "p" / f"mini-imagenet-cache-{name}.pkl").write_bytes(pickle.dumps(content, 2))
    with pytest.raises(DataError, match=message):
        prepare(MINI, tmp_path / "p", allow_partial=True)
    assert not prepared_folder(MINI).exists()


def jpeg(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "jpeg")
    return file.getvalue()


@pytest.fixture
def parquet(tmp_path):
    """Files in the form of Hugging Face's datasets; labels are numbers of `names`."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    def write(names, *, named=True, path=lambda wnid, k: None, folder="data"):
        features = {"label": {"names": names, "_type": "ClassLabel"}} if named else {}
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        for shard in range(2):
            rows = [(label, k) for k in (2 * shard, 2 * shard + 1) for label in range(len(names))]
            images = [
                {"bytes": jpeg(PIXELS[label % 6]), "path": path(names[label], k)}
                for label, k in rows
            ]
            table = pyarrow.table({"image": images, "label": [label for label, _ in rows]})
            file = tmp_path / "hub" / folder / f"train-0000{shard}.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            write_table(table.replace_schema_metadata(metadata), file)
        return tmp_path / "hub"

    return write


NAMES = [wnid for part in PARTS for wnid in CLASSES[part]]


@pytest.mark.parametrize("folder", ["data", ".", "default/train"])
def test_parquet_files_are_read_by_the_names_of_their_labels(parquet, folder):
    found = prepared(parquet(NAMES, folder=folder))
    assert classes(found) == expected()
    assert [len(images) for images in found.values()] == [8, 8, 8]
    image = found["base"]
    assert (image.root / image.paths[0]).read_bytes() == jpeg(PIXELS[0])


def test_parquet_files_are_read_by_the_names_of_their_images(parquet):
    found = prepared(parquet(NAMES, named=False, path=lambda wnid, k: f"{wnid}{k:08d}.jpg"))
    assert classes(found) == expected()


def test_images_with_original_names_are_taken_if_they_are_listed(parquet):
    numbers = {row["wnid"]: row["images"].split() for row in split_list("mini_imagenet")}

    def path(wnid, k):
        return f"{wnid}_{numbers[wnid][0] if k < 3 else 99_999_999}.JPEG"

    assert [len(images) for images in prepared(parquet(NAMES, path=path)).values()] == [6, 6, 6]


def test_parquet_files_without_class_names_are_refused(parquet):
    with pytest.raises(DataError, match="does not say which ImageNet classes"):
        prepare(MINI, parquet(NAMES, named=False), allow_partial=True)


def test_a_parquet_file_that_is_none_is_refused(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "train.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"train\.parquet cannot be read"):
        prepare(MINI, tmp_path / "hub", allow_partial=True)


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "train.parquet").touch()
    original = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r"pyarrow, .* is not installed") as error:
        prepare(MINI, tmp_path / "hub", allow_partial=True)
    assert error.value.hint == "pip install 'lowlabel[parquet]'"


def test_other_classes_are_refused_by_name(tmp_path, write_image, parquet):
    other = "n01440764"
    message = "holds a mini-ImageNet of other classes: 1 of its 7 classes"
    with pytest.raises(DataError, match=message):
        prepare(MINI, parquet([*NAMES, other]), allow_partial=True)
    root = tmp_path / "folders"
    for wnid in [*NAMES, other]:
        write_image(root / wnid / f"{wnid}00000001.jpg")
    with pytest.raises(DataError, match=message):
        prepare(MINI, root, allow_partial=True)
    for name in PARTS.values():
        (root / f"{name}.csv").write_text(f"filename,label\n{other}00000001.jpg,{other}\n")
    with pytest.raises(DataError, match="of other classes: 1 of its 1 classes"):
        prepare(MINI, root, allow_partial=True)
    for number in range(100):
        write_image(tmp_path / "none" / f"n{10_000_000 + number}" / "1.jpg")
    with pytest.raises(DataError, match="of other classes: 100 of its 100 classes"):
        prepare(MINI, tmp_path / "none", allow_partial=True)


def test_lists_of_another_division_are_refused(tmp_path, write_image):
    for part, name in PARTS.items():
        wnid = CLASSES["novel" if part == "base" else "base"][0]
        write_image(tmp_path / "m" / "images" / f"{wnid}00000001.jpg")
        (tmp_path / "m" / f"{name}.csv").write_text(f"filename,label\n{wnid}00000001.jpg,{wnid}\n")
    with pytest.raises(DataError, match="lists 1 classes as base that Ravi & Larochelle's"):
        prepare(MINI, tmp_path / "m", allow_partial=True)


def test_imagenets_train_folder_is_taken_and_its_val_folder_left(tmp_path, write_image):
    rows = {row["wnid"]: row["images"].split() for row in split_list("mini_imagenet")}
    for wnid in NAMES:
        write_image(tmp_path / "CLS-LOC" / "train" / wnid / f"{wnid}_{rows[wnid][0]}.JPEG")
        write_image(tmp_path / "CLS-LOC" / "val" / wnid / "ILSVRC2012_val_00000001.JPEG")
    found = prepared(tmp_path / "CLS-LOC")
    assert {len(images) for images in found.values()} == {2}
    assert {images.root.name for images in found.values()} == {"train"}


def test_imagenet_mini_of_1000_classes_is_refused_by_name(tmp_path, write_image):
    rows = {row["wnid"]: row["images"].split() for row in split_list("mini_imagenet")}
    for number in range(1_000 - len(rows)):
        (tmp_path / "imagenet-mini" / "train" / f"n{10_000_000 + number}").mkdir(parents=True)
    for wnid, numbers in rows.items():
        write_image(tmp_path / "imagenet-mini" / "train" / wnid / f"{wnid}_{numbers[0]}.JPEG")
    with pytest.raises(DataError, match="holds ImageNet-mini, a sample of ImageNet's 1,000"):
        prepare(MINI, tmp_path / "imagenet-mini", allow_partial=True)


def test_tiered_imagenet_from_class_folders_in_parts(tmp_path, write_image):
    rows = split_list("tiered_imagenet")
    for part, name in PARTS.items():
        for wnid in [r["wnid"] for r in rows if r["part"] == part][:2]:
            write_image(tmp_path / "tiered" / name / wnid / f"{wnid}0001.jpg")
    prepare(DATASETS["tiered-imagenet"], tmp_path / "tiered", allow_partial=True)
    opened = open_dataset("tiered-imagenet", allow_partial=True)
    assert [len(opened.load(part)) for part in PARTS] == [2, 2, 2]
    with pytest.raises(DataError, match="of its 6 classes are not among mini-ImageNet's 100"):
        prepare(MINI, tmp_path / "tiered", allow_partial=True)
    wnid = next(wnid for wnid in NAMES if wnid not in {row["wnid"] for row in rows})
    write_image(tmp_path / "tiered" / "train" / wnid / f"{wnid}0001.jpg")
    with pytest.raises(DataError, match="holds another dataset, not tiered-ImageNet: 1 of its 7"):
        prepare(DATASETS["tiered-imagenet"], tmp_path / "tiered", allow_partial=True)
