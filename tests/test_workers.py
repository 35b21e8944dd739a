import threading
import time

import pytest
import torch

from lowlabel.workers import run_parallel


@pytest.mark.parametrize("workers", [1, 3])
def test_every_item_is_run_once(workers):
    assert sorted(run_parallel(lambda x: x * x, range(20), workers)) == [x * x for x in range(20)]


def test_workers_compute_on_one_core_each():
    before = torch.get_num_threads()
    barrier = threading.Barrier(2, timeout=30)

    def threads(_):
        barrier.wait()
        return torch.get_num_threads(), threading.get_ident()

    found = list(run_parallel(threads, [0, 1], 2))
    assert [count for count, _ in found] == [1, 1]
    assert len({ident for _, ident in found}) == 2
    assert torch.get_num_threads() == before


def test_an_error_ends_the_work():
    started = []

    def fail(item):
        started.append(item)
        time.sleep(0.001)
        raise OSError(item)

    with pytest.raises(OSError, match="0"):
        list(run_parallel(fail, [0] * 2000, 2))
    assert len(started) < 2000


def test_items_are_taken_as_workers_become_free():
    taken, run = [], []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    def ahead(item):
        run.append(item)
        return len(taken) - len(run)

    assert max(run_parallel(ahead, items(), 2)) <= 4
    assert sorted(run) == list(range(50))
