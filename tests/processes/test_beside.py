import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from lowlabel.errors import DataError
from lowlabel.processes.beside import beside

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks on Linux only")
pytestmark = pytest.mark.usefixtures("default_signals")


def wait_for(file: Path) -> str:
    end = time.monotonic() + 60
    while not file.is_file() or not file.read_text():
        assert time.monotonic() < end
        time.sleep(0.002)
    return file.read_text()


@linux
def test_the_work_is_done_by_another_process_meanwhile(tmp_path):
    with beside(lambda: tmp_path.joinpath("done").write_text(str(os.getpid()))):
        assert int(wait_for(tmp_path / "done")) != os.getpid()


@linux
@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_work_that_is_not_done_is_ended_with_the_block_and_cleans_up(tmp_path, error):
    def work():
        try:
            tmp_path.joinpath("begun").write_text("yes")
            time.sleep(600)
        finally:
            tmp_path.joinpath("cleaned").write_text("yes")

    try:
        with beside(work):
            wait_for(tmp_path / "begun")
            if error:
                raise error
    except KeyboardInterrupt:
        pass
    assert tmp_path.joinpath("cleaned").is_file()


@linux
@pytest.mark.parametrize("error", [DataError("the disk is full"), IsADirectoryError("lock")])
def test_what_the_block_would_meet_itself_is_not_told(capfd, error):
    def work():
        raise error

    with beside(work):
        while multiprocessing.active_children():
            time.sleep(0.002)
    assert capfd.readouterr() == ("", "")


def test_where_forking_is_not_safe_nothing_is_done(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "darwin")
    with beside(tmp_path.joinpath("done").mkdir):
        pass
    assert not tmp_path.joinpath("done").exists()
