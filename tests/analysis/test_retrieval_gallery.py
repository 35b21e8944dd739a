import json

import numpy as np
import pytest
from PIL import Image

from lowlabel.analysis import Collection, Tile, draw_gallery, retrieved, worst_queries
from lowlabel.cli import main
from lowlabel.features import EmbeddingTable

GREEN, RED, GREY = (46, 139, 87), (205, 55, 50), (150, 150, 150)


def tile(value, right=None):
    return Tile(
        Image.new("RGB", (60, 40), (value,) * 3), ("0.5", "a class of a long, long name"), right
    )


def test_frames_tell_right_from_wrong():
    row = (tile(10), [tile(20, True), tile(30, False), tile(40)])
    pixels = np.asarray(draw_gallery([row, row]))
    edges = [tuple(pixels[21, 20 + 128 + 30 + place * 138 + 1]) for place in range(3)]
    assert edges == [GREEN, RED, GREY]
    assert pixels.shape[0] == 2 * 20 + 2 * (128 + 34 + 10)
    assert draw_gallery([]).size[1] == 40


@pytest.fixture
def collection(tmp_path):
    """Six images of three classes; those of class c point at its next neighbour."""
    rng = np.random.default_rng(0)
    names = [f"{c}{k}.png" for c in "abc" for k in range(2)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (8, 12, 3), dtype=np.uint8)).save(tmp_path / name)
    angles = np.deg2rad([0, 1, 90, 95, 180, 5])  # the second of class c lies among class a
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


def test_boxes_are_cut_out(collection):
    boxed = Collection(
        collection.root, collection.paths, ((2, 1, 7, 5),) * 6, collection.classes, collection.table
    )
    ((query, hits),) = retrieved(boxed, None, [0], 1)
    assert query.picture.size == hits[0].picture.size == (5, 4)


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code or 0


@pytest.fixture
def data(image_folder):
    return ("--model", "pixels", "--resolution", "4", "--dataset", f"folder:{image_folder}")


def test_command_draws_the_worst_or_chosen_queries(data, image_folder, tmp_path, home, capsys):
    assert call("analyze", "retrieval", *data, "--worst", "3", "--top", "4") == 0
    with Image.open(home / "results" / "pixels-folder-images-retrieval.png") as picture:
        assert picture.size == (2 * 20 + 128 + 30 + 4 * 138, 2 * 20 + 3 * 172)
    target = tmp_path / "new" / "out.png"
    outsider = image_folder / "base" / "base0" / "0.png"
    chosen = ("--query", "novel1/3.png", "--query", str(outsider), "--output", str(target))
    assert call("analyze", "retrieval", *data, *chosen, "--post", "aqe:2") == 0
    with Image.open(target) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape[0] == 2 * 20 + 2 * 172
    first = {tuple(pixels[21, 20 + 128 + 30 + place * 138 + 1]) for place in range(10)}
    second = {tuple(pixels[21 + 172, 20 + 128 + 30 + place * 138 + 1]) for place in range(10)}
    assert first <= {GREEN, RED}
    assert second == {GREY}
    assert str(target) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--query", "3.png"), "3 images of the dataset are called 3.png"),
        (("--query", "nowhere.png"), "neither an image in"),
        (("--top", "18"), "18 neighbours were requested from a gallery with 17"),
        (("--post", "whitening:3"), "unknown post-processing"),
        (("--output", "out.gif"), "cannot write a picture to out.gif"),
    ],
)
def test_bad_options(data, options, message, capsys):
    assert call("analyze", "retrieval", *data, *options) == 2
    assert message in capsys.readouterr().err


def test_run_draws_its_worst_queries(data, tmp_path, capsys):
    output = tmp_path / "out"
    arguments = ("run", "--suite", "retrieval", *data, "--k", "1", "--output", str(output))
    assert call(*arguments, "--worst", "2", "--post", "aqe:2") == 0
    (picture,) = (output / "galleries").glob("*.png")
    (record,) = (output / "records").glob("*.json")
    assert picture.stem == record.stem
    assert json.loads(record.read_text())["experiment"]["method"]["spec"] == "cosine+aqe:2"
    capsys.readouterr()
    assert call(*arguments, "--worst", "-1") == 2
    assert "must be at least 0" in capsys.readouterr().err
