"""Records and features that were made before the protocols became objects are found again."""

import zipfile
from pathlib import Path

import pytest

from lowlabel.cli import main

BEFORE = Path(__file__).parent.parent / "data/before"
IMAGES = ("--model", "pixels", "--resolution", "2", "--dataset", "folder:birds")
TASKS = ("--ways", "3", "--queries", "2", "--tasks", "30")
RUNS = {
    "every suite": ("--suite", "all", *IMAGES, *TASKS, "--shots", "1", "--k", "1", "--k", "2"),
    "dc": ("--suite", "fewshot-dc", *IMAGES, *TASKS, "--shots", "2"),
    "transductive": ("--suite", "fewshot-transductive", *IMAGES, *TASKS, "--shots", "1"),
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
    "k-reciprocal": ("--suite", "retrieval", *IMAGES, "--k", "1", "--post", "k-reciprocal:5,k2=2"),
    "diffusion": ("--suite", "retrieval", *IMAGES, "--k", "1", "--post", "diffusion:5"),
    "nmi": ("--suite", "retrieval", *IMAGES, "--k", "1", "--k", "4", "--nmi"),
    "flat": ("--suite", "retrieval", *IMAGES, "--k", "1", "--search", "flat"),
    "ivf": (
        *("--suite", "retrieval", *IMAGES, "--k", "1", "--search", "ivf,probe=2"),
        *("--post", "aqe:2"),
    ),
    "hnsw": (
        *("--suite", "retrieval", *IMAGES, "--k", "1", "--search", "hnsw"),
        *("--label", "hnsw-model"),
    ),
}  # fmt: skip


@pytest.fixture
def records(tmp_path, home, monkeypatch) -> Path:
    """The old records, with the old feature store as home and the images beside them."""
    for archive in ("tiny.zip", "store/birds.zip"):
        with zipfile.ZipFile(BEFORE / archive) as packed:
            packed.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "records"


@pytest.mark.parametrize("arguments", RUNS.values(), ids=RUNS)
def test_old_records_are_found(records, home, tmp_path, arguments, monkeypatch):
    if {"--nmi", "--search"} & set(arguments):
        pytest.importorskip("faiss")
    before = {path.name: path.read_bytes() for path in records.iterdir()}
    assert len(before) == 94
    monkeypatch.setattr("lowlabel.benchmarks.recording.save_record", pytest.fail)
    with pytest.raises(SystemExit) as ended:
        main(["run", *arguments, "--output", str(tmp_path), "--device", "cpu"])
    assert not ended.value.code
    assert {path.name: path.read_bytes() for path in records.iterdir()} == before
    assert not list((home / "features").glob("*.partial"))
