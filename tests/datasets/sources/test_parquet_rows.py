"""Row groups of parquet files: read once, ahead of their turn, and anew after a failure."""

import os
import signal
import threading

import pytest

from lowlabel.datasets.sources import parquet_rows
from lowlabel.datasets.sources.parquet_rows import parquet_bytes
from lowlabel.errors import DataError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def container(tmp_path):
    """Ten images in five row groups."""
    parquet_rows._row_group.cache_clear()
    rows = [{"bytes": b"image %d" % row, "path": None} for row in range(10)]
    path = tmp_path / "train.parquet"
    parquet.write_table(pyarrow.table({"image": rows}), path, row_group_size=2)
    return path


@pytest.fixture
def groups_read(monkeypatch):
    """The row groups that were read, in their order."""
    found = []
    read = parquet_rows._images

    def spy(container, group, size):
        found.append(group)
        return read(container, group, size)

    monkeypatch.setattr(parquet_rows, "_images", spy)
    return found


def wait_for_readers():
    for thread in threading.enumerate():
        if thread.name.endswith("(read)"):
            thread.join()


def test_images_in_their_order_find_the_next_group_read_already(container, groups_read):
    assert parquet_bytes(container, "0") == b"image 0"
    wait_for_readers()
    assert sorted(groups_read) == [0, 1]
    assert [parquet_bytes(container, str(row)) for row in range(10)] == [
        b"image %d" % row for row in range(10)
    ]
    wait_for_readers()
    assert sorted(groups_read) == [0, 1, 2, 3, 4]  # each once


def test_images_out_of_order_read_their_own_group_alone(container, groups_read):
    assert parquet_bytes(container, "5") == b"image 5"
    wait_for_readers()
    assert groups_read == [2]


def test_a_failure_is_raised_and_the_group_read_anew_the_next_time(container, monkeypatch):
    def failing(*_):
        raise DataError("the disk is away", "Mount it.")

    with monkeypatch.context() as patched:
        patched.setattr(parquet_rows, "_images", failing)
        for _ in range(2):
            with pytest.raises(DataError, match="the disk is away"):
                parquet_bytes(container, "3")
    assert parquet_bytes(container, "3") == b"image 3"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_does_not_wait_for_a_thread_that_it_lacks(container, monkeypatch):
    """As the loaders of PyTorch are forked while the next group is being read."""
    go_on = threading.Event()
    read = parquet_rows._images

    def slow(container, group, size):
        if group == 1:
            go_on.wait(60)
        return read(container, group, size)

    with monkeypatch.context() as patched:
        patched.setattr(parquet_rows, "_images", slow)
        assert parquet_bytes(container, "0") == b"image 0"  # group 1 is on its way
        child = os.fork()
        if child == 0:
            signal.alarm(30)  # ends a child that waits for ever
            try:
                parquet_rows._images = read
                os._exit(int(parquet_bytes(container, "2") != b"image 2"))
            finally:
                os._exit(2)
        _, status = os.waitpid(child, 0)
        go_on.set()
    assert os.waitstatus_to_exitcode(status) == 0
