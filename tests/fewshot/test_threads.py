"""Blocks of tasks are scored side by side, each by one thread on one core."""

import threading

import numpy as np
import pytest
import torch

from lowlabel.fewshot import METHODS, evaluate_fewshot
from lowlabel.fewshot.methods.dc import DistributionCalibration
from lowlabel.fewshot.methods.ncm import NearestCentroid

SMALL = {"ways": 3, "queries": 5, "tasks": 12, "interval": "tasks", "device": "cpu"}
PARALLEL = [name for name in METHODS if METHODS[name].blocks_are_independent]


@pytest.fixture
def threads():
    """Sets torch's number of threads."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def spied(monkeypatch, method, at_start=lambda: None):
    """The thread of each call of the method's scores, with its number of threads."""
    calls, scores = [], method.seeded_scores

    def spy(*arguments):
        calls.append((threading.get_ident(), torch.get_num_threads()))
        at_start()
        return scores(*arguments)

    monkeypatch.setattr(method, "seeded_scores", spy)
    return calls


def test_two_threads_score_blocks_at_once_on_one_core_each(threads, monkeypatch, novel):
    threads(2)
    barrier = threading.Barrier(2, timeout=30)
    calls = spied(monkeypatch, NearestCentroid, barrier.wait)
    evaluate_fewshot(*novel, task_block=6, **SMALL)
    assert len({thread for thread, _ in calls}) == 2
    assert [cores for _, cores in calls] == [1, 1]
    assert torch.get_num_threads() == 2


def test_few_tasks_are_divided_among_the_threads(threads, monkeypatch, novel):
    threads(3)
    told = []
    evaluate_fewshot(*novel, progress=lambda *done: told.append(done), **SMALL)
    assert told == [(4, 12), (8, 12), (12, 12)]


def test_blocks_that_share_a_cache_are_scored_one_after_the_other(
    threads, monkeypatch, novel, base
):
    threads(2)
    calls = spied(monkeypatch, DistributionCalibration)
    evaluate_fewshot(*map(np.abs, novel), base=base, method="dc,samples=4", task_block=6, **SMALL)
    assert calls == [(threading.get_ident(), 2)] * 2


@pytest.mark.slow
@pytest.mark.parametrize("method", PARALLEL)
def test_the_number_of_threads_changes_no_accuracy(method, threads, novel, base):
    def accuracies(count):
        threads(count)
        options = SMALL | {"method": method, "base": base, "shots": 2}
        return evaluate_fewshot(*map(np.abs, novel), task_block=5, **options).accuracies

    assert np.array_equal(accuracies(1), accuracies(3))


def test_an_error_of_a_thread_reaches_the_caller(threads, monkeypatch, novel):
    threads(2)

    def fail():
        raise OSError("of a thread")

    spied(monkeypatch, NearestCentroid, fail)
    with pytest.raises(OSError, match="of a thread"):
        evaluate_fewshot(*novel, task_block=2, **SMALL)
