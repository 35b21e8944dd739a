import numpy as np
import pytest
from PIL import Image

from lowlabel.analysis import Collection, retrieved, worst_queries
from lowlabel.features import EmbeddingTable

GREEN, RED, GREY = (46, 139, 87), (205, 55, 50), (150, 150, 150)


@pytest.fixture
def collection(tmp_path):
    """Six images of three classes; the images of class c are near images of other classes."""
    rng = np.random.default_rng(0)
    names = [f"{c}{k}.png" for c in "abc" for k in range(2)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (8, 12, 3), dtype=np.uint8)).save(tmp_path / name)
    angles = np.deg2rad([0, 1, 90, 95, 180, 5])  # the second of class c is near class a
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    table = EmbeddingTable(features, np.array([0, 0, 1, 1, 2, 2]), "")
    return Collection(tmp_path, tuple(names), None, tuple(n[0] for n in names), table)


def test_worst_queries_come_first(collection):
    assert set(worst_queries(collection, None, 2)) == {4, 5}
    assert len(worst_queries(collection, None, 100)) == 6


def test_tiles_are_the_nearest_images(collection):
    ((query, hits),) = retrieved(collection, None, [5], 3)
    assert query.caption == ("query: c1.png", "c")
    assert [hit.caption[1] for hit in hits] == ["a", "a", "b"]
    assert [hit.right for hit in hits] == [False] * 3
    assert hits[0].caption[0] == f"{np.cos(np.deg2rad(4)):.3f}"
    assert query.picture.size == (12, 8)
    ((_, hits),) = retrieved(collection, None, [0], 1)
    assert hits[0].right


def test_boxes_are_cropped(collection):
    boxed = Collection(
        collection.root, collection.paths, ((2, 1, 7, 5),) * 6, collection.classes, collection.table
    )
    ((query, hits),) = retrieved(boxed, None, [0], 1)
    assert query.picture.size == hits[0].picture.size == (5, 4)
