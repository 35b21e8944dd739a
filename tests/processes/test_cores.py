import os

import pytest

from lowlabel.processes import cores
from lowlabel.processes.cores import decoding_threads, loader_processes, usable_cores


@pytest.mark.parametrize(
    ("count", "sharing", "threads", "processes"),
    [(1, "", 4, 2), (2, "1", 4, 2), (16, "", 16, 16), (96, "", 96, 16), (96, "8", 12, 12)],
)
def test_images_are_loaded_on_every_core_of_a_process(
    monkeypatch, count, sharing, threads, processes
):
    monkeypatch.setattr(cores, "usable_cores", lambda: count)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", sharing)
    assert (decoding_threads(), loader_processes()) == (threads, processes)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux only")
def test_cores_that_the_process_may_not_use_do_not_count():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert usable_cores() == len(allowed)
