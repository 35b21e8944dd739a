"""The revisited data sets and Copydays on small trees in their true layouts."""

import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


def write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)


def write_landmarks(root: Path, truth=TRUTH, name: str = "roxford5k") -> Path:
    for image in truth["imlist"] + truth["qimlist"]:
        write_image(root / "jpg" / f"{image}.jpg")
    (root / f"gnd_{name}.pkl").write_bytes(pickle.dumps(truth, 3))
    return root


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(folder.rglob("*")):
            opened.write(path, path.relative_to(folder.parent))
    return archive


@pytest.mark.parametrize("name", ["roxford5k", "rparis6k"])
def test_layout_from_an_archive(tmp_path, name):
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


def test_layout_from_a_linked_folder(tmp_path):
    tree = write_landmarks(tmp_path / "elsewhere" / "roxford5k")
    prepared_folder(DATASETS["roxford5k"]).parent.mkdir(parents=True)
    prepared_folder(DATASETS["roxford5k"]).symlink_to(tree)
    assert len(open_dataset("roxford5k", allow_partial=True).load("query")) == 2


def test_protocols_differ_in_the_query_s_box_alone(tmp_path):
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


def test_counts_of_the_full_sets(tmp_path):
    write_landmarks(prepared_folder(DATASETS["roxford5k"]))
    opened = open_dataset("roxford5k")
    with pytest.raises(DataError, match="gallery: found 3 images, the full set has 4,993 images"):
        opened.load("gallery")
    with pytest.raises(DataError, match="query: found 2 images, the full set has 70 images"):
        opened.load("query")
    assert DATASETS["rparis6k"].divisions[1].expected["gallery"].images == 6_322
    assert DATASETS["revisitop1m"].divisions[0].expected["distractors"].images == 1_001_001


@pytest.mark.parametrize("name", ["roxford5k", "rparis6k"])
def test_published_ground_truth_lists_the_full_sets(real_data, tmp_path, name):
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


def test_images_that_are_not_there_are_counted(tmp_path):
    root, oxford = write_landmarks(tmp_path), DATASETS["roxford5k"]
    (root / "jpg" / "all_souls_2.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of the 3 gallery images .* the first all_souls_2\.jpg"):
        load_part(oxford, oxford.divisions[0], root, "gallery")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"gnd": [{**TRUTH["gnd"][0], "easy": [3]}, TRUTH["gnd"][1]]},
            "query 0 .* outside its list of 3",
        ),
        ({"gnd": [TRUTH["gnd"][0], {**TRUTH["gnd"][1], "bbx": [0, 1]}]}, "query 1 has no box"),
        ({"gnd": TRUTH["gnd"][:1]}, "judges 1 queries and names 2"),
        ({"gnd": [{}, {}]}, "no ground truth of the revisited"),
        ({"gnd": None}, "no ground truth of the revisited"),
    ],
)
def test_ground_truth_that_is_none(tmp_path, change, message):
    root, oxford = write_landmarks(tmp_path, TRUTH | change), DATASETS["roxford5k"]
    with pytest.raises(DataError, match=message):
        load_part(oxford, oxford.divisions[0], root, "query")


def test_distractors_are_those_of_their_list(tmp_path):
    for name in ("00/b.jpg", "01/a.jpg", "01/unlisted.jpg"):
        write_image(tmp_path / "jpg" / name)
    (tmp_path / "revisitop1m.txt").write_text("01/a.jpg\n00/b.jpg\n")
    r1m = DATASETS["revisitop1m"]
    images = load_part(r1m, r1m.divisions[0], tmp_path, "distractors")
    assert images.paths == ("jpg/01/a.jpg", "jpg/00/b.jpg")


def test_copydays_copies_go_by_four_characters(tmp_path):
    for name in (
        "original/200000.jpg",
        "original/200100.jpg",
        "strong/200001.jpg",
        "strong/200102.jpg",
    ):
        write_image(tmp_path / "copydays" / name)
    prepare(
        DATASETS["copydays"], zipped(tmp_path / "copydays", tmp_path / "c.zip"), allow_partial=True
    )
    opened = open_dataset("copydays", allow_partial=True)
    assert (opened.division.kind, opened.division.evaluated, opened.division.gallery) == (
        "copies",
        "strong",
        "original",
    )
    strong, original = opened.load("strong"), opened.load("original")
    assert strong.paths == ("strong/200001.jpg", "strong/200102.jpg")
    assert strong.class_names == original.class_names == ("2000", "2001")
    assert opened.division.expected == {"original": (157, None), "strong": (229, None)}


def test_copydays_without_its_originals(tmp_path):
    write_image(tmp_path / "copydays" / "strong" / "200001.jpg")
    with pytest.raises(DataError, match=r"there is no folder .*original"):
        load_part(
            DATASETS["copydays"],
            DATASETS["copydays"].divisions[0],
            tmp_path / "copydays",
            "original",
        )
