"""`demo-landmarks` and `demo-copies` are equal everywhere, and as hard as they claim."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lowlabel.datasets import OpenDataset, open_dataset
from lowlabel.datasets.demo.attacks import ATTACKS
from lowlabel.datasets.demo.draws import Draws

PINNED = {
    ("demo-landmarks", "gallery"): "e4600b2dea942a4b",
    ("demo-landmarks", "query"): "d55aa90458e07fcf",
    ("demo-copies", "original"): "0a03a3857b6f10f2",
    ("demo-copies", "strong"): "81116c9727e33e1a",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, OpenDataset]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOWLABEL_HOME", str(tmp_path_factory.mktemp("home")))
        return {name: open_dataset(name) for name, _ in PINNED}


def pictures(made: dict[str, OpenDataset], name: str, part: str) -> list[np.ndarray]:
    images = made[name].load(part)
    return [np.asarray(Image.open(images.root / path)) for path in images.paths]


@pytest.mark.parametrize(("name", "part"), PINNED)
def test_pixels_are_pinned(made, name, part):
    digest = hashlib.sha256(b"".join(p.tobytes() for p in pictures(made, name, part)))
    assert digest.hexdigest()[:16] == PINNED[name, part]
    assert made[name].partial(part) is None


def test_all_pictures_differ(made):
    every = [p.tobytes() for name, part in PINNED for p in pictures(made, name, part)]
    assert len(set(every)) == len(every) == 200 + 24 + 60 + 120


def test_landmarks_are_wide_and_tall_with_boxes_inside(made):
    shapes = [p.shape for p in pictures(made, "demo-landmarks", "query")]
    assert set(shapes) == {(48, 64, 3), (64, 48, 3)}
    boxes = made["demo-landmarks"].load("query").boxes
    for (height, width, _), (left, top, right, bottom) in zip(shapes, boxes, strict=True):
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        assert (right - left) * (bottom - top) > 600


def test_ground_truth_lists_the_pictures_of_the_place(made):
    opened = made["demo-landmarks"]
    gallery, queries = opened.load("gallery").paths, opened.load("query").paths
    for path, judged in zip(queries, opened.ground_truth(), strict=True):
        for kind, count in {"easy": 4, "hard": 4, "junk": 2}.items():
            start = path.replace("query", kind)[:-5]
            assert [gallery[row][:-5] for row in judged[kind]] == [start] * count


def similarity(a: list[np.ndarray], b: list[np.ndarray]) -> np.ndarray:
    """Cosine of small, centred pictures."""

    def small(picture: np.ndarray) -> np.ndarray:
        image = Image.fromarray(picture).resize((12, 12), Image.Resampling.BOX)
        values = np.asarray(image, float).ravel()
        return (values - values.mean()) / np.linalg.norm(values - values.mean())

    return np.array([small(p) for p in a]) @ np.array([small(p) for p in b]).T


def test_easy_is_easier_than_hard_and_hard_than_junk(made):
    queries, gallery = (pictures(made, "demo-landmarks", part) for part in ("query", "gallery"))
    near = similarity(queries, gallery)
    truth = made["demo-landmarks"].ground_truth()
    easy, hard, junk = (
        np.mean([near[q, judged[kind]].mean() for q, judged in enumerate(truth)])
        for kind in ("easy", "hard", "junk")
    )
    assert easy > hard + 0.1 > junk + 0.1
    assert easy < 0.9


def test_raw_pixels_find_some_copies_but_not_all(made):
    originals, copies = (pictures(made, "demo-copies", part) for part in ("original", "strong"))
    found = similarity(copies, originals).argmax(axis=1) == np.arange(120) // 2
    assert 0.3 < found.mean() < 0.9


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_change_a_picture_and_follow_their_stream(made, name):
    picture = pictures(made, "demo-copies", "original")[0].astype(float)
    altered = ATTACKS[name](picture, Draws(1))
    assert altered.shape == picture.shape
    assert np.abs(altered - picture).mean() > 1
    np.testing.assert_array_equal(ATTACKS[name](picture, Draws(1)), altered)
    assert (ATTACKS[name](picture, Draws(2)) != altered).any()


def test_files_are_uncompressed(made):
    root: Path = made["demo-copies"].root
    assert len({path.stat().st_size for path in root.rglob("*.png")}) == 1
