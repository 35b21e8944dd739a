"""CIFAR-10 and CIFAR-100 in every layout in which they are handed out."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lowlabel.datasets import DATASETS, open_dataset, prepare
from lowlabel.errors import DataError

TEN = [f"class{number}" for number in range(10)]
HUNDRED = [f"fine{number:02d}" for number in range(100)]
TRAIN, TEST = [3, 0, 3, 9, 0], [9, 3]
Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def images() -> Pixels:
    """Seven images, uint8 [7, 32, 32, 3]: five to train on, two to test on."""
    return np.random.default_rng(5).integers(0, 256, (7, 32, 32, 3), np.uint8)


def as_rows(images: Pixels) -> Pixels:
    """The red, then the green, then the blue values of each image, row by row [N, 3072]."""
    return np.stack(
        [np.concatenate([image[:, :, c].ravel() for c in range(3)]) for image in images]
    )


def python_10(root: Path, images: Pixels) -> Path:
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    rows = as_rows(images)
    for batch in range(1, 6):
        content = {"data": rows[batch - 1 : batch], "labels": [TRAIN[batch - 1]]}
        (folder / f"data_batch_{batch}").write_bytes(pickle.dumps(content, 2))
    (folder / "test_batch").write_bytes(pickle.dumps({"data": rows[5:], "labels": TEST}, 2))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": TEN}, 2))
    return folder


def binary_10(root: Path, images: Pixels) -> Path:
    folder = root / "cifar-10-batches-bin"
    folder.mkdir()
    rows = np.concatenate([np.array([TRAIN + TEST], np.uint8).T, as_rows(images)], 1)
    for batch in range(1, 6):
        rows[batch - 1].tofile(folder / f"data_batch_{batch}.bin")
    rows[5:].tofile(folder / "test_batch.bin")
    (folder / "batches.meta.txt").write_text("\n".join(TEN) + "\n\n")
    return folder


def python_100(root: Path, images: Pixels) -> Path:
    folder = root / "cifar-100-python"
    folder.mkdir()
    rows = as_rows(images)
    for name, part, labels in (("train", rows[:5], TRAIN), ("test", rows[5:], TEST)):
        content = {"data": part, "fine_labels": labels, "coarse_labels": [0] * len(labels)}
        (folder / name).write_bytes(pickle.dumps(content, 2))
    meta = {"fine_label_names": HUNDRED, "coarse_label_names": TEN}
    (folder / "meta").write_bytes(pickle.dumps(meta, 2))
    return folder


def binary_100(root: Path, images: Pixels) -> Path:
    folder = root / "cifar-100-binary"
    folder.mkdir()
    coarse = np.full((7, 1), 7, np.uint8)
    rows = np.concatenate([coarse, np.array([TRAIN + TEST], np.uint8).T, as_rows(images)], 1)
    rows[:5].tofile(folder / "train.bin")
    rows[5:].tofile(folder / "test.bin")
    (folder / "fine_label_names.txt").write_text("\n".join(HUNDRED))
    return folder


def parquet(names: list[str], label: str) -> Callable[[Path, Pixels], Path]:
    def write(root: Path, images: Pixels) -> Path:
        arrow = pytest.importorskip("pyarrow")
        from pyarrow.parquet import write_table

        folder = root / "plain_text"
        folder.mkdir()
        metadata = {"info": {"features": {label: {"names": names}}}}
        for part, rows, labels in (("train", images[:5], TRAIN), ("test", images[5:], TEST)):
            encoded = []
            for row in rows:
                Image.fromarray(row).save(root / "one.png")
                encoded.append({"bytes": (root / "one.png").read_bytes(), "path": None})
            table = arrow.table({"img": encoded, label: labels})
            table = table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
            write_table(table, folder / f"{part}-00000-of-00001.parquet")
        return folder

    return write


@pytest.mark.parametrize(
    ("name", "write", "names"),
    [
        ("cifar-10", python_10, TEN),
        ("cifar-10", binary_10, TEN),
        ("cifar-10", parquet(TEN, "label"), TEN),
        ("cifar-100", python_100, HUNDRED),
        ("cifar-100", binary_100, HUNDRED),
        ("cifar-100", parquet(HUNDRED, "fine_label"), HUNDRED),
    ],
)
def test_every_distribution_becomes_the_same_images(tmp_path, images, name, write, names):
    prepare(DATASETS[name], write(tmp_path, images), allow_partial=True)
    opened = open_dataset(name, allow_partial=True)
    for part, labels, pixels in (("train", TRAIN, images[:5]), ("test", TEST, images[5:])):
        found = opened.load(part)
        by_index = {int(Path(path).stem): path for path in found.paths}
        for index, label in enumerate(labels):
            assert np.array_equal(
                np.asarray(Image.open(found.root / by_index[index])), pixels[index]
            )
            assert Path(by_index[index]).parent.name == f"{label:03d} {names[label]}"
        assert found.class_names == tuple(f"{c:03d} {names[c]}" for c in sorted(set(labels)))
    assert opened.division.shared_classes
    assert (opened.division.train_part, opened.division.evaluated) == ("train", "test")


def test_class_folders_are_read_below_super_classes_too(tmp_path, write_image, zipped):
    for part in ("train", "test"):
        for path in ("fish/ray", "fish/shark", "trees/oak"):
            write_image(tmp_path / "cifar100" / part / path / "0.png")
    archive = zipped(tmp_path / "cifar100", tmp_path / "cifar100.zip")
    prepare(DATASETS["cifar-100"], archive, allow_partial=True)
    opened = open_dataset("cifar-100", allow_partial=True)
    assert opened.load("train").class_names == ("oak", "ray", "shark")
    assert str(opened.partial("test").expected) == "10,000 images of 100 classes"


@pytest.mark.parametrize(
    ("name", "write", "said"),
    [
        ("cifar-10", python_100, "holds CIFAR-100, not CIFAR-10"),
        ("cifar-10", binary_100, "holds CIFAR-100, not CIFAR-10"),
        ("cifar-100", python_10, "holds CIFAR-10, not CIFAR-100"),
        ("cifar-100", binary_10, "holds CIFAR-10, not CIFAR-100"),
        ("cifar-100", parquet(TEN, "label"), "names 10 classes, and cifar-100 has 100"),
    ],
)
def test_the_other_dataset_is_refused_by_name(tmp_path, images, name, write, said):
    with pytest.raises(DataError, match=said):
        prepare(DATASETS[name], write(tmp_path, images), allow_partial=True)


def test_damaged_files_are_named(tmp_path, images):
    folder = binary_10(tmp_path, images)
    (folder / "data_batch_2.bin").write_bytes(b"\0" * 100)
    with pytest.raises(DataError, match=r"data_batch_2\.bin has 100 bytes, which is no multiple"):
        prepare(DATASETS["cifar-10"], folder, allow_partial=True)
    folder = python_10(tmp_path, images)
    (folder / "data_batch_3").unlink()
    with pytest.raises(DataError, match=r"cannot read .*data_batch_3"):
        prepare(DATASETS["cifar-10"], folder, allow_partial=True)
    content = {"data": as_rows(images[:2]), "labels": [1]}
    (folder / "data_batch_3").write_bytes(pickle.dumps(content, 2))
    with pytest.raises(DataError, match=r"data_batch_3 holds data as uint8 \(2, 3072\) for 1"):
        prepare(DATASETS["cifar-10"], folder, allow_partial=True)


def test_an_incomplete_set_needs_to_be_allowed(tmp_path, images):
    with pytest.raises(DataError, match=r"train: found 5 images of 3 classes, the full set has 50"):
        prepare(DATASETS["cifar-10"], python_10(tmp_path, images))
