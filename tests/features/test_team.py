"""Several processes extract one file, which is that of one process."""

import json
import shutil
import time

import numpy as np
import pytest
from PIL import Image
from processes import commands

from lowlabel.datasets import open_dataset
from lowlabel.features import extract_features, feature_path, load_backbone
from lowlabel.features.extraction.shared import shards
from lowlabel.features.key import FeatureKey

MODEL = "random:vit_tiny_patch16_224,img_size=16,patch_size=8,embed_dim=24,depth=1,num_heads=2"


@pytest.fixture
def images(tmp_path):
    random = np.random.default_rng(0)
    for row in range(39):
        folder = tmp_path / "images" / f"class{row % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (20, 24, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{row:02d}.png")
    return open_dataset(f"folder:{tmp_path / 'images'}").load("all")


@pytest.fixture
def launcher(tmp_path):
    with commands(tmp_path) as found:
        yield found


def extract(images):
    return ["extract", "--model", MODEL, "--dataset", f"folder:{images.root}", "--engine", "torch"]


def outputs(processes, codes=(0, 0)):
    """What each process printed; they must have ended with these codes."""
    ends = [process.end() for process in processes]
    assert [code for code, _ in ends] == list(codes), "\n".join(text for _, text in ends)
    return [text for _, text in ends]


def expected(images, monkeypatch):
    """The bytes of the file that one process makes; the store is empty afterwards."""
    monkeypatch.setattr("lowlabel.features.extract.CHUNK_ROWS", 4)
    backbone = load_backbone(MODEL, device="cpu")
    extract_features(backbone, images)
    path = feature_path(FeatureKey.of(backbone, images))
    content = path.read_bytes()
    path.unlink()
    return path, content


def test_blocks_are_shared_in_contiguous_runs_of_nearly_equal_size():
    blocks = [range(start, min(start + 4, 39)) for start in range(0, 39, 4)]
    for count in (1, 2, 3, 7, 20):
        found = shards(blocks, count)
        assert len(found) == count
        assert [rows for shard in found for rows in shard] == blocks
        sizes = [sum(map(len, shard)) for shard in found]
        assert max(sizes) <= 39 / count + 4


def test_the_file_of_two_processes_is_that_of_one(images, launcher, monkeypatch):
    path, content = expected(images, monkeypatch)
    first, second = outputs(launcher.start_team(*extract(images)))
    assert f"39×24 {path}" in first
    assert "39×24" not in second
    assert path.read_bytes() == content


@pytest.mark.slow
def test_an_error_of_one_process_is_that_of_both_and_costs_no_chunk(images, launcher, monkeypatch):
    """The file, of the second process's shard, becomes a folder while the first chunks are made."""
    path, content = expected(images, monkeypatch)
    late = images.root / images.paths[38]
    whole = late.read_bytes()
    processes = launcher.start_team(*extract(images), pauses={0: 0.3, 1: 0.3})
    wait_for(path.with_suffix(".partial"))
    late.unlink()
    late.mkdir()
    texts = outputs(processes, (2, 2))
    assert all(images.paths[38] in text for text in texts)
    assert path.with_suffix(".partial").exists()
    late.rmdir()
    late.write_bytes(whole)
    outputs(launcher.start_team(*extract(images)))
    assert path.read_bytes() == content


@pytest.mark.slow
@pytest.mark.parametrize("dead", [0, 1])
def test_a_dead_process_leaves_a_state_that_any_number_of_processes_resume(
    images, launcher, monkeypatch, dead
):
    path, content = expected(images, monkeypatch)
    processes = launcher.start_team(*extract(images), pauses={dead: 0.4, 1 - dead: 0.2})
    partial = path.with_suffix(".partial")
    wait_for(partial)
    time.sleep(0.3)
    processes[dead].process.kill()
    text = outputs(processes, [-9, 2] if dead == 0 else [2, -9])[1 - dead]
    assert f"process {1 - dead} of 2 stops, since another process of the run ended" in text
    assert "Traceback" not in text
    assert not path.exists()
    left = partial.read_bytes()
    outputs(launcher.start_team(*extract(images)))
    assert path.read_bytes() == content
    path.unlink()
    partial.write_bytes(left)
    extract_features(load_backbone(MODEL, device="cpu"), images)
    assert path.read_bytes() == content


def wait_for(path):
    give_up = time.monotonic() + 200
    while not path.exists():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_processes_that_see_other_images_stop(images, launcher, tmp_path, monkeypatch):
    """A path that is relative leads each to a folder of its own."""
    for rank in "01":
        shutil.copytree(images.root, tmp_path / rank / "images")
    Image.new("RGB", (20, 24)).save(tmp_path / "1" / "images" / images.paths[0])
    start = launcher.start
    monkeypatch.setattr(
        launcher,
        "start",
        lambda *texts, RANK, **rest: start(*texts, RANK=RANK, FOLDER=str(tmp_path / RANK), **rest),
    )
    processes = launcher.start_team("extract", "--model", "pixels", "--dataset", "folder:images")
    for text in outputs(processes, (2, 2)):
        assert "do not have the same images of folder:images" in text


def test_a_benchmark_of_two_processes_scores_in_the_first(images, launcher, tmp_path):
    results = tmp_path / "results"
    run = ["run", "--suite", "retrieval", "--model", MODEL, "--dataset", f"folder:{images.root}"]
    first, second = outputs(launcher.start_team(*run, "--output", results, "--no-nmi"))
    assert "Recall@K" in first
    assert "Recall@K" not in second
    assert "written:" not in second
    records = list((results / "records").glob("*.json"))
    assert json.loads(records[0].read_text())["scores"]
