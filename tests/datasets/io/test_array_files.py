"""Array files become image files without loss, and files that do not fit are refused."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from lowlabel.datasets.io.array_files import npz_images, write_images
from lowlabel.errors import DataError


def test_npz_images_are_read_one_by_one(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), np.uint8)
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", images=images)
        assert np.array_equal(np.stack(list(npz_images(tmp_path / "x.npz"))), images)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": np.zeros((2, 4, 4, 3))}, "as float64"),
        ({"images": np.zeros((2, 4, 4), np.uint8)}, r"not as uint8 \[N, H, W, 3\]"),
        ({"images": np.array([None])}, "as object"),
        ({"x": np.zeros(3)}, "holds no readable array images"),
    ],
)
def test_npz_without_images_is_refused(tmp_path, content, message):
    np.savez(tmp_path / "x.npz", **content)
    with pytest.raises(DataError, match=message):
        list(npz_images(tmp_path / "x.npz"))


def test_a_truncated_npz_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 4, 4, 3), np.uint8))
    with zipfile.ZipFile(tmp_path / "x.npz") as archive:
        member = archive.read("images.npy")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("images.npy", member[:-10])
    with pytest.raises(DataError, match="holds no readable array images"):
        list(npz_images(tmp_path / "x.npz"))


def test_images_are_written_without_loss_under_safe_names(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 3), np.uint8)
    write_images(tmp_path / "p", images, [1, 0, 1], ["a/../b", "Crane, bird"])
    paths = sorted((tmp_path / "p").glob("*/*"))
    assert [path.relative_to(tmp_path / "p").as_posix() for path in paths] == [
        "000 a_.._b/000001.png",
        "001 Crane_ bird/000000.png",
        "001 Crane_ bird/000002.png",
    ]
    for path in paths:
        assert np.array_equal(np.asarray(Image.open(path)), images[int(path.stem)])


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 4, 4, 3), np.uint8), [0], "1 labels and more images"),
        (np.zeros((1, 4, 4, 3), np.uint8), [0, 0], "2 labels and only 1 images"),
        (np.zeros((1, 4, 4, 3), np.uint8), [1], "1 labels outside its 1 classes, the first is 1"),
        (np.zeros((1, 4, 4, 3), np.uint8), [-1], "the first is -1"),
        ([b"GIF89a"], [0], "image 000000 of the p part is not a PNG file"),
    ],
)
def test_images_and_labels_that_do_not_fit_are_refused(tmp_path, images, labels, message):
    with pytest.raises(DataError, match=message):
        write_images(tmp_path / "p", images, labels, ["a"])
