"""`torchvision:NAME` on small trees in the true layouts, beside torchvision's own images."""

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torchvision.datasets
from PIL import Image
from typer.testing import CliRunner

from lowlabel.cli import app
from lowlabel.datasets import open_dataset
from lowlabel.datasets.io.pixels import open_rgb
from lowlabel.datasets.torchvision_sets.dataset import download
from lowlabel.datasets.torchvision_sets.declared import DECLARED
from lowlabel.datasets.torchvision_sets.reading import open_split
from lowlabel.errors import DataError, InputError, UnknownNameError
from lowlabel.paths import datasets_dir

NUMBERS = dict.fromkeys(DECLARED) | {"GTSRB": ["00000", "00001"], "SVHN": ["0", "1"]}


def pixels_of(images):
    """The pixels and class of each image, sorted."""
    names = [images.class_names[label] for label in images.labels]
    pixels = [np.asarray(open_rgb(images.root / path)).tobytes() for path in images.paths]
    return sorted(zip(pixels, names, strict=True))


def test_parts_have_the_images_and_labels_of_torchvision(name, grow, tmp_path):
    place = grow(name, tmp_path / "data")
    opened = open_dataset(f"torchvision:{name},root={place}", allow_partial=True)
    declared = DECLARED[name]
    assert opened.name.startswith(f"torchvision:{name}:")
    assert opened.division.parts == tuple(declared.splits)
    for part in declared.splits:
        found = open_split(name, declared, place, part)
        classes = getattr(found, "classes", None) or getattr(found, "categories", NUMBERS[name])
        theirs = [
            (np.asarray(image.convert("RGB")).tobytes(), classes[label]) for image, label in found
        ]
        assert pixels_of(opened.load(part)) == sorted(theirs)
        assert opened.load(part).counts.classes == 2
        assert opened.partial(part).expected == declared.splits[part][1]


def test_counts_are_those_of_the_full_dataset_or_named(name, grow, tmp_path):
    opened = open_dataset(f"torchvision:{name},root={grow(name, tmp_path / 'data')}")
    with pytest.raises(DataError, match="is not the full dataset"):
        opened.load(opened.division.evaluated)


@pytest.mark.parametrize("name", ["Caltech101", "EuroSAT"])
def test_a_dataset_without_a_split_has_a_drawn_one(name, grow, tmp_path):
    opened = open_dataset(f"torchvision:{name},root={grow(name, tmp_path)}", allow_partial=True)
    whole, drawn = opened.dataset.divisions
    assert opened.division is whole
    assert drawn.shared_classes
    parts = {part: drawn.read(tmp_path, part) for part in drawn.parts}
    assert sorted([*parts["train"], *parts["test"]]) == whole.read(tmp_path, "all")
    per_class = len(opened.load("all")) // 2
    assert len(parts["test"]) == 2 * max(per_class // 5, 1)
    again = open_dataset(f"torchvision:{name},root={tmp_path}").dataset.divisions[1]
    assert again.read(tmp_path, "test") == parts["test"]


def test_arrays_become_files_once(grow, tmp_path):
    place = grow("SVHN", tmp_path / "data")
    spec = f"torchvision:SVHN,root={place}"
    first = open_dataset(spec, allow_partial=True).load("test")
    assert first.root == datasets_dir() / "torchvision" / "SVHN-images"
    assert first.class_names == ("0", "1")
    shutil.rmtree(place)
    assert open_dataset(spec, allow_partial=True).load("test").paths == first.paths


def test_what_is_not_there_is_said_with_the_command(name, tmp_path):
    with pytest.raises(DataError, match="is not here: there is no") as error:
        open_dataset(f"torchvision:{name}")
    assert f"lowlabel prepare torchvision:{name} --download" in error.value.hint
    assert not (datasets_dir() / "torchvision" / name).exists()


def test_damaged_layouts_are_said_with_the_command(grow, tmp_path):
    place = grow("Food101", tmp_path)
    (place / "food-101/meta/test.json").write_text("{")
    with pytest.raises(DataError, match=r"Food-101 in .* is incomplete or damaged") as error:
        open_dataset(f"torchvision:Food101,root={place}").load("test")
    assert "--download" in error.value.hint
    place = grow("SVHN", tmp_path / "svhn")
    with (place / "test_32x32.mat").open("ab") as file:
        file.write(b"!")
    with pytest.raises(DataError, match=r"SVHN in .* is incomplete or damaged"):
        open_dataset(f"torchvision:SVHN,root={place}").load("test")


def test_missing_images_are_counted(grow, tmp_path):
    place = grow("DTD", tmp_path)
    (place / "dtd/dtd/images/banded/banded_test0.jpg").unlink()
    with pytest.raises(DataError, match=r"1 listed files are missing: .*banded_test0\.jpg"):
        open_dataset(f"torchvision:DTD,root={place}").load("test")


def test_names_are_known_in_any_case(grow, tmp_path):
    opened = open_dataset(f"torchvision:dtd,root={grow('DTD', tmp_path)}")
    assert opened.name == "torchvision:DTD:published"


def test_unknown_names_get_suggestions():
    with pytest.raises(UnknownNameError, match="Food101"):
        open_dataset("torchvision:food102")
    with pytest.raises(DataError, match="names no dataset"):
        open_dataset("torchvision:")


@pytest.fixture
def served(grow, tmp_path, monkeypatch):
    """The archive of DTD, which a server of this computer hands out to torchvision."""
    place = grow("DTD", tmp_path / "server")
    archive = shutil.make_archive(str(tmp_path / "dtd"), "gztar", place / "dtd")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/dtd.tar.gz"
        monkeypatch.setattr(torchvision.datasets.DTD, "_URL", url)
        monkeypatch.setattr(torchvision.datasets.DTD, "_MD5", None)
        yield archive
        server.shutdown()


def test_a_download_is_complete_or_not_there(served, monkeypatch):
    place, url = datasets_dir() / "torchvision" / "DTD", torchvision.datasets.DTD._URL
    monkeypatch.setattr(torchvision.datasets.DTD, "_MD5", "0" * 32)
    with pytest.raises(DataError, match="DTD cannot be downloaded: File not found or corrupted"):
        download("torchvision:DTD")
    assert not place.exists()
    monkeypatch.setattr(torchvision.datasets.DTD, "_MD5", None)
    monkeypatch.setattr(torchvision.datasets.DTD, "_URL", "http://127.0.0.1:1/dtd.tar.gz")
    with pytest.raises(DataError, match=r"DTD cannot be downloaded: .*refused") as error:
        download("torchvision:DTD")
    assert "torchvision:DTD,root=FOLDER" in error.value.hint
    monkeypatch.setattr(torchvision.datasets.DTD, "_URL", url)
    assert download("torchvision:DTD") == place
    assert len(open_dataset("torchvision:DTD", allow_partial=True).load("test")) == 6


def test_prepare_downloads_only_when_asked(served):
    run = CliRunner().invoke
    with pytest.raises(DataError, match="DTD is not here") as error:
        run(app, ["prepare", "torchvision:DTD"], catch_exceptions=False)
    assert "--download" in error.value.hint
    arguments = ["prepare", "torchvision:DTD", "--download", "--allow-partial"]
    result = run(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "torchvision:DTD is ready in" in result.output
    with pytest.raises(InputError, match="torchvision:DTD needs no archive"):
        run(app, ["prepare", "torchvision:DTD"], catch_exceptions=False)
    with pytest.raises(InputError, match="cub cannot be downloaded"):
        run(app, ["prepare", "cub", "--download"], catch_exceptions=False)
    with pytest.raises(InputError, match="needs no archive"):
        run(app, ["prepare", "torchvision:DTD", "--archive", served], catch_exceptions=False)


def test_images_follow_the_rules_of_files(grow, tmp_path):
    place = grow("DTD", tmp_path)
    path = place / "dtd/dtd/images/banded/banded_test0.jpg"
    Image.fromarray(np.full((4, 4), 65_535, np.uint16)).save(path, "PNG")
    images = open_dataset(f"torchvision:DTD,root={place}", allow_partial=True).load("test")
    assert images.manifest.deep
