"""`lowlabel report`: tables from records, without scoring."""

import numpy as np
import pytest

from lowlabel.cli import main

TABLES = ("leaderboard.md", "leaderboard.csv", "leaderboard.tex")


def call(*arguments) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code or 0


@pytest.fixture
def out(tmp_path):
    """A results folder with a record of embeddings made elsewhere."""
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(60, 8)), np.arange(60) % 6
    np.savez(tmp_path / "made.npz", features=features.astype(np.float32), labels=labels)
    run = ("run", "--suite", "knn", "--features", tmp_path / "made.npz", "--device", "cpu")
    assert call(*run, "--output", tmp_path / "out") == 0
    return tmp_path / "out"


def test_the_tables_of_a_run_are_made_again_from_its_records(out, tmp_path, capsys):
    made = {name: (out / name).read_bytes() for name in TABLES}
    for name in TABLES:
        (out / name).unlink()
    assert call("report", out, "--archive") == 0
    assert "leaderboard.tar.xz" in capsys.readouterr().out
    assert {name: (out / name).read_bytes() for name in TABLES} == made
    assert call("report", out / "leaderboard.tar.xz", "--output", tmp_path / "again") == 0
    assert {name: (tmp_path / "again" / name).read_bytes() for name in TABLES} == made


def test_what_has_no_records_is_an_error(out, tmp_path, capsys):
    assert call("report", tmp_path / "nowhere") == 2
    assert "no records at" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert call("report", tmp_path / "empty") == 2
    assert call("report", out, "--archive") == 0
    capsys.readouterr()
    assert call("compare", out / "leaderboard.tar.xz", out) == 2
    assert "without the scores of single tasks" in " ".join(capsys.readouterr().err.split())


def test_a_page_is_written_by_runs_and_from_an_archive(out, tmp_path, capsys):
    assert "knn,k=20" in (out / "report.html").read_text()
    assert call("report", out, "--archive") == 0
    page = tmp_path / "new" / "page.html"
    assert call("report", out / "leaderboard.tar.xz", "--output", page) == 0
    assert "knn,k=20" in page.read_text()
    assert call("report", out, "--archive", "--output", page) == 2
    assert "--archive does not go with" in " ".join(capsys.readouterr().err.split())
