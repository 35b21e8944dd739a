import threading
import time

import pytest
import torch

from lowlabel.retrieval.ranking.workers import full_precision, run_parallel


def error_of_products():
    x = torch.randn(256, 256, generator=torch.manual_seed(0))
    return float((x @ x.T - (x.double() @ x.double().T)).abs().max())


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


def test_products_are_of_full_precision_inside_only():
    whole = error_of_products()
    torch.set_float32_matmul_precision("medium")
    try:
        reduced = error_of_products()
        with full_precision():
            assert error_of_products() == whole
        assert error_of_products() == reduced
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
