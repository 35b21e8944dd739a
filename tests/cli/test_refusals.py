"""What the system refuses, and names that would write on a terminal, on the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lowlabel.cli import main

ARCHIVE = Path(__file__).parents[2] / "results/leaderboard.tar.xz"
LONG = "x" * 5000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["run", "--model", "pixels", "--dataset", f"csv:{LONG}"], "File name too long"),
        (["run", "--features", f"{LONG}.npz"], "File name too long"),
        (["report", LONG], "File name too long"),
        (["run", "--model", "~nosuchuser/a.pth"], "no home folder of that user"),
        (["run", "--model", "pixels", "--dataset", "folder:~nosuchuser/a"], "no home folder"),
        (["check", LONG, "--output", "results/leaderboard.tar.xz"], "File name too long"),
        (["compare", LONG, "pixels"], "File name too long"),
        (["report", "file/records"], "no records at file/records"),
        (["report", "results/leaderboard.tar.xz", "--output", "file/x"], "file"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_no_traceback(arguments, problem, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(SystemExit) as ended:
        main([str(ARCHIVE) if "leaderboard" in each else each for each in arguments])
    assert ended.value.code == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(("place", "code"), [("full", 2), ("closed", 1)])
def test_output_that_is_not_taken_is_no_traceback(place, code):
    """A full disk, and a pipe whose reader has gone."""
    if place == "full":
        output = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, output = os.pipe()
        os.close(reader)
    try:
        command = [sys.executable, "-m", "lowlabel", "--version"]
        ended = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(output)
    assert ended.returncode == code
    assert ended.stderr.count("\n") == (2 if code == 2 else 0), ended.stderr
    assert "Exception" not in ended.stderr


@pytest.mark.slow
def test_an_error_that_standard_error_does_not_take_has_its_exit_code():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "lowlabel", "report", "nowhere"]
        assert subprocess.run(command, stderr=full).returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("stream", [0, 1, 2])
def test_a_stream_that_is_closed_changes_no_exit_code(stream, tmp_path):
    for arguments, code in ((["cache"], 0), (["report", "nowhere"], 2)):
        command = [sys.executable, "-m", "lowlabel", *arguments]
        ended = subprocess.run(command, cwd=tmp_path, preexec_fn=lambda: os.close(stream))
        assert ended.returncode == code


@pytest.mark.slow
def test_files_of_the_package_are_read_in_any_locale():
    """Suites have titles with Greek letters."""
    command = [sys.executable, "-X", "utf8=0", "-m", "lowlabel", "list"]
    environment = os.environ | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "20"}
    ended = subprocess.run(command, env=environment, capture_output=True)
    assert ended.returncode == 0, ended.stderr


def test_a_path_of_a_table_too_long_for_the_system_is_a_wrong_row(tmp_path, capsys):
    (tmp_path / "a.csv").write_text(f"path,label\n{LONG}/a.png,x\n")
    with pytest.raises(SystemExit) as ended:
        main(["run", "--model", "pixels", "--dataset", f"csv:{tmp_path / 'a.csv'}"])
    assert ended.value.code == 2
    assert "line 2: there is no file xxx" in capsys.readouterr().err


def test_names_in_errors_do_not_control_the_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    (tmp_path / "a.csv").write_text("path,label\n\x1b]0;title\x07\x1b[2J.png,x\n")
    with pytest.raises(SystemExit):
        main(["run", "--model", "pixels", "--dataset", f"csv:{tmp_path / 'a.csv'}"])
    shown = capsys.readouterr().err
    assert r"there is no file \x1b]0;title\x07\x1b[2J.png" in shown
    assert "\x07" not in shown


def test_a_path_without_its_kind_says_what_to_write(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds.csv").write_text("path,label\n")
    for name, wanted in (("birds", "Write folder:birds"), ("birds.csv", "Write csv:birds.csv")):
        with pytest.raises(SystemExit) as ended:
            main(["run", "--model", "pixels", "--dataset", name])
        assert ended.value.code == 2
        assert wanted in capsys.readouterr().err
