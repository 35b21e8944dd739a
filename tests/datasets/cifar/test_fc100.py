"""FC100 from the published pickles and from class folders."""

import pickle

import numpy as np
import pytest
from PIL import Image

from lowlabel.datasets import DATASETS, open_dataset, prepare
from lowlabel.errors import DataError

PARTS = {"base": "train", "val": "val", "novel": "test"}


def test_fc100_pickles_become_images_of_the_same_pixels(tmp_path, zipped):
    root = tmp_path / "FC100"
    root.mkdir()
    images = np.random.default_rng(2).integers(0, 256, (4, 32, 32, 3), np.uint8)
    for number, name in enumerate(PARTS.values()):
        content = {"data": images, "labels": [number, number, 90 + number, 90 + number]}
        (root / f"FC100_{name}.pickle").write_bytes(pickle.dumps(content, 2))
    prepare(DATASETS["fc100"], zipped(root, tmp_path / "FC100.zip"), allow_partial=True)
    opened = open_dataset("fc100", allow_partial=True)
    assert opened.load("base").class_names == ("000 00", "090 90")
    novel = opened.load("novel")
    assert novel.class_names == ("002 02", "092 92")
    pixels = [np.asarray(Image.open(novel.root / path)) for path in novel.paths]
    assert np.array_equal(np.stack(pixels), images)
    (root / "FC100_val.pickle").write_bytes(pickle.dumps({"data": images[0], "labels": [1]}))
    with pytest.raises(DataError, match=r"holds data of shape \(32, 32, 3\), not \[N, H, W, 3\]"):
        prepare(DATASETS["fc100"], root, allow_partial=True)


def test_fc100_is_read_from_class_folders(tmp_path, write_image):
    for number, name in enumerate(PARTS.values()):
        for k in range(2):
            write_image(tmp_path / "FC100" / name / f"class{number}" / f"{k}.png")
    prepare(DATASETS["fc100"], tmp_path / "FC100", allow_partial=True)
    assert open_dataset("fc100", allow_partial=True).load("val").class_names == ("class1",)
