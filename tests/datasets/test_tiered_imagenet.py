"""tiered-ImageNet from all published layouts, and its lists."""

import io
import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowlabel.datasets import DATASETS, open_dataset, prepare, prepared_folder
from lowlabel.datasets.splits import split_list
from lowlabel.errors import DataError

PARTS = {"base": "train", "val": "val", "novel": "test"}


PIXELS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)


def test_tiered_imagenet_from_the_imagenet_folder(imagenet):
    prepare(DATASETS["tiered-imagenet"], imagenet.parent, allow_partial=True)
    listed = {row["wnid"]: row["part"] for row in split_list("tiered_imagenet")}
    found = {
        part: sorted(path.name for path in imagenet.iterdir() if listed.get(path.name) == part)
        for part in PARTS
    }
    for part in PARTS:
        images = open_dataset("tiered-imagenet", allow_partial=True).load(part)
        assert list(images.class_names) == found[part]
        assert all(path.endswith(".JPEG") for path in images.paths)


def png(pixels: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return np.frombuffer(file.getvalue(), np.uint8)[:, None]


@pytest.fixture(params=["png", "npz"])
def tiered_arrays(request, tmp_path: Path) -> Path:
    """The published files: PNG bytes in pickles, or arrays that OpenCV decoded (BGR)."""
    root = tmp_path / "tiered-imagenet"
    root.mkdir()
    random = np.random.default_rng(1)
    for name in PARTS.values():
        images = random.integers(0, 256, (5, 84, 84, 3), np.uint8)
        images[0, :8, :8] = PIXELS
        labels = {
            "label_specific": np.array([0, 0, 1, 1, 2], np.int32),
            "label_specific_str": ["crane", "crane", f"{name} fish, Carassius"],
            "label_general": np.zeros(5, np.int32),
            "label_general_str": ["thing"],
        }
        (root / f"{name}_labels.pkl").write_bytes(pickle.dumps(labels, 2))
        if request.param == "png":
            content = pickle.dumps([png(image) for image in images], 2)
            (root / f"{name}_images_png.pkl").write_bytes(content)
        else:
            np.savez(root / f"{name}_images.npz", images=images[..., ::-1])
    return root


@pytest.mark.parametrize("as_folder", [True, False])
def test_tiered_imagenet_from_published_arrays(tiered_arrays, tmp_path, as_folder, zipped):
    before = sorted(path.name for path in tiered_arrays.iterdir())
    archive = tiered_arrays if as_folder else zipped(tiered_arrays, tmp_path / "tiered.zip")
    prepare(DATASETS["tiered-imagenet"], archive, allow_partial=True)
    novel = open_dataset("tiered-imagenet", allow_partial=True).load("novel")
    assert novel.class_names == ("000 crane", "001 crane", "002 test fish_ Carassius")
    assert novel.labels.tolist() == [0, 0, 1, 1, 2]
    pixels = np.asarray(Image.open(novel.root / novel.paths[0]))
    assert np.array_equal(pixels[:8, :8], PIXELS)
    assert sorted(path.name for path in tiered_arrays.iterdir()) == before
    left = {path.name for path in prepared_folder(DATASETS["tiered-imagenet"]).iterdir()}
    assert left == {"lowlabel.json", "tiered-imagenet-images"}


def test_tiered_imagenet_refuses_labels_of_another_kind(tiered_arrays):
    (tiered_arrays / "train_labels.pkl").write_bytes(pickle.dumps({"labels": [1]}))
    with pytest.raises(
        DataError, match=r"train_labels\.pkl does not hold the lists label_specific"
    ):
        prepare(DATASETS["tiered-imagenet"], tiered_arrays, allow_partial=True)
    assert not prepared_folder(DATASETS["tiered-imagenet"]).exists()


def test_tiered_imagenet_lists_are_the_published_ones(lists):
    for part, name in PARTS.items():
        lines = (lists / "tiered_imagenet" / f"{name}.csv").read_text().split()
        ours = [
            f"{row['wnid']},{row['category']}"
            for row in split_list("tiered_imagenet")
            if row["part"] == part
        ]
        assert sorted(ours) == sorted(lines)
        assert DATASETS["tiered-imagenet"].division("ren").expected[part].classes == len(lines)
    assert sum(c.images for c in DATASETS["tiered-imagenet"].division("ren").expected.values()) == (
        779_165
    )


def test_divisions_are_disjoint_and_have_the_published_sizes():
    for name, sizes in {"mini_imagenet": (64, 16, 20), "tiered_imagenet": (351, 97, 160)}.items():
        rows = split_list(name)
        assert len({row["wnid"] for row in rows}) == len(rows) == sum(sizes)
        counts = Counter(row["part"] for row in rows)
        assert tuple(counts[part] for part in PARTS) == sizes
    categories: dict[str, set[str]] = {part: set() for part in PARTS}
    for row in split_list("tiered_imagenet"):
        categories[row["part"]].add(row["category"])
    assert [len(categories[part]) for part in PARTS] == [20, 6, 8]
    assert len(set.union(*categories.values())) == 34
    for row in split_list("mini_imagenet"):
        assert len(set(row["images"].split())) == 600
