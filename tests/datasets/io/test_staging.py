"""A prepared folder is replaced whole or not at all."""

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from lowlabel.datasets.io.staging import staged
from lowlabel.errors import DataError


def filled(folder, text):
    with staged(folder) as staging:
        (staging / "file").write_text(text)


def test_an_older_folder_stays_when_the_new_one_cannot_replace_it(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    filled(folder, "old")
    rename = Path.replace

    def failing(self, target):
        if target == folder and (self / "file").read_text() == "new":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(DataError, match=r"cannot write .*data: Input/output error"):
        filled(folder, "new")
    assert (folder / "file").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"data", ".data.lock"}
    monkeypatch.undo()
    filled(folder, "new")
    assert (folder / "file").read_text() == "new"


def test_two_that_prepare_without_working_locks_use_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr("os.getpid", lambda: 1)
    folder = tmp_path / "data"
    with monkeypatch.context() as patched:
        patched.setattr(sys.modules[staged.__module__], "FileLock", lambda path: nullcontext())
        with staged(folder) as one, staged(folder) as other:
            assert one != other
            for staging in (one, other):
                (staging / "file").write_text("whole")
    assert (folder / "file").read_text() == "whole"
