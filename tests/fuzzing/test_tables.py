"""Tables of datasets: MATLAB files of annotations, parquet files of images, lists of images."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from lowlabel.datasets.cars import CARS
from lowlabel.datasets.imagenet.validation import validation_classes
from lowlabel.datasets.io.parquet import open_parquet
from lowlabel.datasets.io.pixels import must_decode, open_rgb
from lowlabel.datasets.sources.hugging_face import hugging_face_dataset
from lowlabel.datasets.sources.members import read_members
from lowlabel.datasets.sources.webdataset import webdataset
from lowlabel.datasets.tables.entries import read_entries

pytestmark = [pytest.mark.fuzz, pytest.mark.filterwarnings("ignore")]
BOX = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")


@pytest.mark.slow
@pytest.mark.parametrize("compressed", [False, True])
def test_annotations_of_cars(tmp_path, attack, compressed):
    kinds = [("relative_im_path", "O"), *((side, "i4") for side in BOX), ("class", "i4")]
    rows = np.zeros((1, 4), [*kinds, ("test", "u1")])
    for number, row in enumerate(rows[0]):
        row["relative_im_path"], row["class"] = f"car_ims/{number}.jpg", number % 2 + 1
        row["bbox_x1"] = row["bbox_y1"] = 1
        row["bbox_x2"] = row["bbox_y2"] = 9
        row["test"] = number // 2
    names = np.array(["Audi", "BMW"], dtype=object)
    source = tmp_path / "source" / "cars_annos.mat"
    source.parent.mkdir()
    content = {"annotations": rows, "class_names": names}
    savemat(source, content, do_compression=compressed)
    division = CARS.division("classification-split")

    def read(path):
        (tmp_path / "car_ims").mkdir(exist_ok=True)
        (tmp_path / source.name).write_bytes(path.read_bytes())
        division.read(tmp_path, division.evaluated)

    attack(source, read, share=0.1)  # each starts a process


def test_classes_of_imagenet(tmp_path, attack):
    rows = np.zeros((2, 1), [("ILSVRC2012_ID", "f8"), ("WNID", "O")])
    for number, row in enumerate(rows[:, 0], 1):
        row["ILSVRC2012_ID"], row["WNID"] = number, f"n0000000{number}"
    savemat(tmp_path / "meta.mat", {"synsets": rows})
    images = tmp_path / "val"
    images.mkdir()
    (images / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n2\n")

    def read(path):
        (images / "meta.mat").write_bytes(path.read_bytes())
        assert len(validation_classes(images, images)) == 2

    attack(tmp_path / "meta.mat", read, share=0.1)


@pytest.mark.parametrize("compression", ["none", "snappy"])
def test_parquet_files(tmp_path, attack, compression):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    png = io.BytesIO()
    Image.new("RGB", (4, 4)).save(png, "PNG")
    image = {"bytes": png.getvalue(), "path": "a.png"}
    table = pyarrow.table({"image": [image] * 6, "label": [0, 1, 2] * 2})
    write_table(table, tmp_path / "a.parquet", compression=compression)

    def read(path):
        with open_parquet([path]) as (file,):
            return [row.name for row in file.rows()]

    assert attack(tmp_path / "a.parquet", read)


def test_folders_of_hugging_face(tmp_path, attack):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    png = io.BytesIO()
    Image.new("RGB", (4, 4)).save(png, "PNG")
    features = {"label": {"names": ["a", "b", "c"], "_type": "ClassLabel"}}
    table = pyarrow.table(
        {"image": [{"bytes": png.getvalue(), "path": "a.png"}] * 6, "label": [0, 1, 2] * 2}
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    folder = tmp_path / "data"
    folder.mkdir()
    write_table(table, tmp_path / "test.parquet", row_group_size=4)

    def read(path):
        (folder / "test.parquet").write_bytes(path.read_bytes())
        (division,) = hugging_face_dataset(folder).divisions
        for image in division.read(folder, division.evaluated):
            with must_decode(folder / image.path):
                open_rgb(folder / image.path)

    assert attack(tmp_path / "test.parquet", read)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_of_images(tmp_path, attack, suffix):
    root = tmp_path / "data"
    root.mkdir()
    for number in range(4):
        Image.new("RGB", (4, 4)).save(root / f"{number}.png")
    rows = [
        (f"{number}.png", "ab"[number % 2], "test", f"g{number}", "0,0,3,3") for number in range(4)
    ]
    header = ("path", "label", "split", "group", "box")
    source = tmp_path / f"list.{suffix}"
    if suffix == "csv":
        lines = (f'{p},{label},{split},{group},"{box}"' for p, label, split, group, box in rows)
        source.write_text("\n".join([",".join(header), *lines]))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow.parquet import write_table

        columns = dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))
        write_table(pyarrow.table(columns), source)

    def read(path):
        (root / source.name).write_bytes(path.read_bytes())
        return read_entries(root / source.name).images

    attack(source, read)


@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_shards(tmp_path, attack, tar_format):
    png = io.BytesIO()
    Image.new("RGB", (4, 4)).save(png, "PNG")
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w", format=tar_format) as written:
        for number in range(4):
            key = f"{number}é" * (60 if number else 1)
            for suffix, data in ((".png", png.getvalue()), (".json", b'{"label": "a"}')):
                member = tarfile.TarInfo(key + suffix)
                member.size = len(data)
                written.addfile(member, io.BytesIO(data))

    def read(path):
        images = webdataset(path).divisions[0].read(path.parent, "all")
        return [*read_members(path, [path.parent / image.path for image in images])]

    assert attack(path, read)
