"""Records and features that were made before the protocols became objects are found again."""

import json
import os
import time
import zipfile
from pathlib import Path

import pytest

from lowlabel.cli import main

BEFORE = Path(__file__).parent.parent / "data/before"
IMAGES = ("--model", "pixels", "--resolution", "2", "--dataset", "folder:birds")
TASKS = ("--ways", "3", "--queries", "2", "--tasks", "30")
SINCE_VERSION_1 = (  # the suite's methods that were not corrected
    *("ncm,norm=cl2n", "soft-kmeans", "label-propagation", "tim", "alpha-tim"),
)
OF_THE_SUITE = (
    *("ncm", "ncm,norm=l2", "ncm,norm=cl2n", "cosine", "ridge,norm=l2", "svm,norm=l2"),
    *("logreg", "logreg,norm=l2"),
)
RUNS = {
    "every suite": (
        *("--suite", "all", *IMAGES, *TASKS, "--shots", "1", "--k", "1", "--k", "2"),
        *(part for method in OF_THE_SUITE for part in ("--method", method)),
    ),
    "transductive": (
        *("--suite", "fewshot-transductive", *IMAGES, *TASKS, "--shots", "1"),
        *(part for method in SINCE_VERSION_1 for part in ("--method", method)),
    ),
    "dirichlet": (
        *("--suite", "fewshot", *IMAGES, *TASKS, "--shots", "1", "--query-distribution"),
        *("dirichlet", "--method", "ncm", "--method", "alpha-tim"),
    ),
    "student-t": (
        *("--suite", "fewshot", *IMAGES, *TASKS, "--shots", "1", "--interval", "student-t"),
        *("--method", "ncm"),
    ),
    "seed": (
        *("--suite", "fewshot", *IMAGES, *TASKS, "--shots", "1", "--seed", "3"),
        *("--method", "ncm,norm=l2"),
    ),
    "aqe": ("--suite", "retrieval", *IMAGES, "--k", "1", "--post", "aqe:3"),
    "whitening": (
        *("--suite", "retrieval", *IMAGES, "--k", "1", "--post", "whiten:4"),
        *("--post", "dba:2"),
    ),
    "flat": ("--suite", "retrieval", *IMAGES, "--k", "1", "--search", "flat"),
}  # fmt: skip
CORRECTED = {  # since version 1: other arithmetic at the same options
    "dc-sslvit": (
        *("--suite", "fewshot-dc", *IMAGES, *TASKS, "--shots", "2", "--method", "dc-sslvit"),
    ),
    "k-reciprocal": ("--suite", "retrieval", *IMAGES, "--k", "1", "--post", "k-reciprocal:5,k2=2"),
    "diffusion": ("--suite", "retrieval", *IMAGES, "--k", "1", "--post", "diffusion:5"),
    "ivf": (
        *("--suite", "retrieval", *IMAGES, "--k", "1", "--search", "ivf,probe=2"),
        *("--post", "aqe:2"),
    ),
    "hnsw": (
        *("--suite", "retrieval", *IMAGES, "--k", "1", "--search", "hnsw"),
        *("--label", "hnsw-model"),
    ),
}  # fmt: skip


YEAR = 366 * 24 * 3600


@pytest.fixture
def records(tmp_path, home, monkeypatch) -> Path:
    """The old records and the old feature store, newer than the images beside them."""
    for archive in ("tiny.zip", "store/birds.zip"):
        with zipfile.ZipFile(BEFORE / archive) as packed:
            packed.extractall(tmp_path)
    for path in (home / "features").iterdir():
        os.utime(path, (time.time() + YEAR,) * 2)
    for path in (tmp_path / "records").glob("*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        record["created"] = "2100-01-01T00:00:00+00:00"
        path.write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "records"


def run(arguments, output):
    with pytest.raises(SystemExit) as ended:
        main(["run", *arguments, "--output", str(output), "--device", "cpu"])
    assert not ended.value.code


def facts(folder):
    """Scores, times and method of every record, with whether images are known by content."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    kept = ("scores", "counts", "created", "wall_s", "environment", "task_hash")
    every = [
        json.dumps([{name: r[name] for name in kept}, r["experiment"]["method"]], sort_keys=True)
        for r in records
    ]
    return sorted(every), sum("manifest" in r["experiment"]["dataset"] for r in records)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", RUNS.values(), ids=RUNS)
def test_old_records_are_found_and_named_by_the_content_of_images(
    records, home, tmp_path, arguments, monkeypatch
):
    if "--search" in arguments:
        pytest.importorskip("faiss")
    every, by_content = facts(records)
    assert (len(every), by_content) == (47, 0)
    monkeypatch.setattr("lowlabel.benchmarks.recording.save_record", pytest.fail)
    run(arguments, tmp_path)
    assert facts(records)[0] == every
    assert facts(records)[1] > 0
    before = {path.name: path.read_bytes() for path in records.glob("[!.]*")}
    assert len(before) == 94
    run(arguments, tmp_path)
    assert {path.name: path.read_bytes() for path in records.glob("[!.]*")} == before
    assert not list((home / "features").glob("*.partial"))


@pytest.mark.slow
@pytest.mark.parametrize("arguments", CORRECTED.values(), ids=CORRECTED)
def test_old_records_of_corrected_steps_are_kept_beside_new_ones(records, tmp_path, arguments):
    if "--search" in arguments:
        pytest.importorskip("faiss")
    every, _ = facts(records)
    run(arguments, tmp_path)
    (new,) = set(facts(records)[0]) - set(every)
    assert json.loads(new)[1]["version"] == 2
    assert set(every) < set(facts(records)[0])


@pytest.mark.slow
@pytest.mark.parametrize("change", ["an image", "the store", "no store"])
def test_old_records_of_other_images_are_kept_and_scored_anew(
    records, home, tmp_path, change, capsys
):
    every, _ = facts(records)
    image = next((tmp_path / "birds/novel").glob("*/*.png"))
    if change == "an image":
        other = next((tmp_path / "birds/base").glob("*/*.png"))
        image.write_bytes(other.read_bytes())
    for path in (home / "features").iterdir():
        if change == "the store":
            os.utime(path, (0, 0))
        if change == "no store":
            path.unlink()
    run(RUNS["seed"], tmp_path)
    assert "made by an earlier version, is not used" in capsys.readouterr().err
    after, by_content = facts(records)
    assert by_content == 1
    assert set(every) < set(after)
