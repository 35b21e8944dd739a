"""The revisited datasets and their distractors on small trees in the published layout."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lowlabel.datasets import DATASETS, open_dataset, prepare, prepared_folder
from lowlabel.datasets.counts import load_part
from lowlabel.errors import DataError

TRUTH = {
    "imlist": ["keble_1", "all_souls_2", "oxford_3"],
    "qimlist": ["all_souls_9", "keble_8"],
    "gnd": [
        {"bbx": [1, 0.4, 7.5, 6], "easy": [1], "hard": [], "junk": [0]},
        {"bbx": [0, 0, 8, 8], "easy": [], "hard": [0], "junk": []},
    ],
}


@pytest.fixture
def write_landmarks(write_image) -> Callable[..., Path]:
    def write(root: Path, truth=TRUTH, name: str = "roxford5k") -> Path:
        for image in truth["imlist"] + truth["qimlist"]:
            write_image(root / "jpg" / f"{image}.jpg")
        (root / f"gnd_{name}.pkl").write_bytes(pickle.dumps(truth, 3))
        return root

    return write


@pytest.mark.parametrize("name", ["roxford5k", "rparis6k"])
def test_landmarks_are_read_from_an_archive(tmp_path, name, zipped, write_landmarks):
    tree = write_landmarks(tmp_path / name, name=name)
    prepare(DATASETS[name], zipped(tree, tmp_path / "a.zip"), allow_partial=True)
    opened = open_dataset(name, allow_partial=True)
    assert (opened.division.name, opened.division.evaluated) == ("revisitop", "query")
    assert (opened.division.gallery, opened.division.train_part) == ("gallery", None)
    assert opened.load("gallery").paths == (
        "jpg/keble_1.jpg",
        "jpg/all_souls_2.jpg",
        "jpg/oxford_3.jpg",
    )
    assert opened.load("query").paths == ("jpg/all_souls_9.jpg", "jpg/keble_8.jpg")
    assert opened.ground_truth() == [
        {"easy": [1], "hard": [], "junk": [0]},
        {"easy": [], "hard": [0], "junk": []},
    ]


def test_landmarks_are_read_from_a_linked_folder(tmp_path, write_landmarks):
    tree = write_landmarks(tmp_path / "elsewhere" / "roxford5k")
    prepared_folder(DATASETS["roxford5k"]).parent.mkdir(parents=True)
    prepared_folder(DATASETS["roxford5k"]).symlink_to(tree)
    assert len(open_dataset("roxford5k", allow_partial=True).load("query")) == 2


def test_divisions_differ_only_in_the_boxes_of_the_queries(tmp_path, write_landmarks):
    root, oxford = write_landmarks(tmp_path), DATASETS["roxford5k"]
    cropped, whole = (
        {
            part: load_part(oxford, oxford.division(name), root, part)
            for part in ("gallery", "query")
        }
        for name in ("revisitop", "dino-revisited")
    )
    assert cropped["query"].boxes == ((1.0, 0.4, 7.5, 6.0), (0.0, 0.0, 8.0, 8.0))
    assert whole["query"].boxes is None
    assert cropped["query"].paths == whole["query"].paths
    assert cropped["query"].manifest_sha256 != whole["query"].manifest_sha256
    assert cropped["gallery"].manifest_sha256 == whole["gallery"].manifest_sha256


def test_counts_are_compared_with_the_full_dataset(tmp_path, write_landmarks):
    write_landmarks(prepared_folder(DATASETS["roxford5k"]))
    opened = open_dataset("roxford5k")
    with pytest.raises(DataError, match="gallery: found 3 images, the full set has 4,993 images"):
        opened.load("gallery")
    with pytest.raises(DataError, match="query: found 2 images, the full set has 70 images"):
        opened.load("query")
    assert DATASETS["rparis6k"].divisions[1].expected["gallery"].images == 6_322
    assert DATASETS["revisitop1m"].divisions[0].expected["distractors"].images == 1_001_001


@pytest.mark.parametrize("name", ["roxford5k", "rparis6k"])
def test_published_ground_truth_lists_the_full_datasets(real_data, tmp_path, name):
    published = real_data.parent / "lists" / "revisited" / f"gnd_{name}.pkl"
    shutil.copy(published, tmp_path)
    truth = pickle.loads(published.read_bytes())
    (tmp_path / "jpg").mkdir()
    for image in truth["imlist"] + truth["qimlist"]:
        (tmp_path / "jpg" / f"{image}.jpg").touch()
    dataset = DATASETS[name]
    for division in dataset.divisions:
        for part in division.parts:
            images = load_part(dataset, division, tmp_path, part)
            assert len(images) == division.expected[part].images
        assert division.ground_truth(tmp_path)[3]["hard"] == list(truth["gnd"][3]["hard"])


def test_missing_images_are_counted_and_named(tmp_path, write_landmarks):
    root, oxford = write_landmarks(tmp_path), DATASETS["roxford5k"]
    (root / "jpg" / "all_souls_2.jpg").unlink()
    with pytest.raises(
        DataError, match=r"1 of the 3 gallery images .* the first is all_souls_2\.jpg"
    ):
        load_part(oxford, oxford.divisions[0], root, "gallery")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"gnd": [{**TRUTH["gnd"][0], "easy": [3]}, TRUTH["gnd"][1]]},
            "query 0 .* outside its list of 3",
        ),
        ({"gnd": [TRUTH["gnd"][0], {**TRUTH["gnd"][1], "bbx": [0, 1]}]}, "query 1 has no box"),
        ({"gnd": TRUTH["gnd"][:1]}, "judges 1 queries but names 2"),
        ({"gnd": [{}, {}]}, "not a ground truth of a revisited"),
        ({"gnd": None}, "not a ground truth of a revisited"),
    ],
)
def test_damaged_ground_truth_is_refused(tmp_path, change, message, write_landmarks):
    root, oxford = write_landmarks(tmp_path, TRUTH | change), DATASETS["roxford5k"]
    with pytest.raises(DataError, match=message):
        load_part(oxford, oxford.divisions[0], root, "query")


def test_distractors_follow_their_list(tmp_path, write_image):
    for name in ("00/b.jpg", "01/a.jpg", "01/unlisted.jpg"):
        write_image(tmp_path / "jpg" / name)
    (tmp_path / "revisitop1m.txt").write_text("01/a.jpg\n00/b.jpg\n")
    r1m = DATASETS["revisitop1m"]
    images = load_part(r1m, r1m.divisions[0], tmp_path, "distractors")
    assert images.paths == ("jpg/01/a.jpg", "jpg/00/b.jpg")
