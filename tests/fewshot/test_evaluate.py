import doctest
import sys

import numpy as np
import pytest

from lowlabel.errors import InputError
from lowlabel.fewshot import build_method, evaluate_fewshot

SMALL = {"tasks": 40, "queries": 5, "interval": "tasks", "device": "cpu"}


def test_the_result_says_what_was_run(novel):
    result = evaluate_fewshot(
        *novel, ways=4, shots=2, queries=6, tasks=30, seed=9, interval="tasks", device="cpu"
    )
    said = (result.ways, result.shots, result.queries, result.tasks, result.seed, result.method)
    assert said == (4, 2, 6, 30, 9, "ncm")
    assert not result.transductive
    assert result.accuracies.dtype == np.float64
    assert result.accuracies.shape == (30,)
    assert np.allclose(result.accuracies * 24 / 100 % 1, 0, atol=1e-9)


def test_defaults_are_the_usual_protocol(novel):
    result = evaluate_fewshot(*novel, device="cpu")
    said = (result.ways, result.shots, result.queries, result.tasks, result.seed)
    assert said == (5, 1, 15, 10_000, 0)


def test_a_longer_run_begins_with_the_shorter_one(novel):
    short, long = (
        evaluate_fewshot(
            *novel, tasks=tasks, task_block=20, interval="tasks", device="cpu"
        ).accuracies
        for tasks in (40, 90)
    )
    assert np.array_equal(long[:40], short)


def test_the_hash_is_that_of_the_tasks(novel):
    def task_hash(**changes):
        return evaluate_fewshot(*novel, **SMALL | changes).task_hash

    same = {task_hash(), task_hash(method="cosine"), task_hash(task_block=3)}
    other = [{"seed": 1}, {"tasks": 41}, {"ways": 4}, {"shots": 2}, {"shots": 2, "queries": 4}]
    assert len(same) == 1
    assert len({task_hash(**changes) for changes in other} | same) == len(other) + 1


def test_the_callers_arrays_stay_as_they_are(novel, base):
    before = [array.copy() for array in (*novel, *base)]
    evaluate_fewshot(*novel, base=base, method="ncm,norm=cl2n", **SMALL)
    assert all(np.array_equal(a, b) for a, b in zip(before, (*novel, *base), strict=True))


def test_the_example_in_the_documentation_runs():
    outcome = doctest.testmod(sys.modules[evaluate_fewshot.__module__])
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_a_built_method_scores_as_its_spec_does(novel, base):
    spec = "ncm,norm=cl2n"
    built, read = (
        evaluate_fewshot(*novel, base=base, method=method, **SMALL)
        for method in (build_method(spec), spec)
    )
    assert built.method == read.method == spec
    assert np.array_equal(built.accuracies, read.accuracies)


def test_progress_is_told_after_each_block(novel):
    told = []
    evaluate_fewshot(*novel, task_block=16, progress=lambda *done: told.append(done), **SMALL)
    done = [0] + [tasks for tasks, _ in told]
    assert sorted(np.diff(done)) == [8, 16, 16]  # in the order in which blocks finish
    assert told[-1] == (40, 40)


def bad_rows(features, value):
    features = features.copy()
    features[[3, 8, 8], [0, 1, 2]] = value
    return features


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda x, y: {"features": x * 1e30, "method": "soft-kmeans,norm=none"},
            "soft-kmeans,norm=none overflows .* largest entry is [0-9.]+e.30",
        ),
        (lambda x, y: {"ways": 9}, "9 classes, but the labels hold 8"),
        (lambda x, y: {"shots": 20}, "need 35 images of each class, but class -10 has 25"),
        (lambda x, y: {"base": (bad_rows(x, np.nan), y)}, "2 of 284 rows of base features"),
        (lambda x, y: {"base": (x, y[1:])}, r"base labels have the shape \(283,\) for 284 images"),
        (lambda x, y: {"base": x}, "base must be a pair"),
        (lambda x, y: {"seed": -1}, "seed=-1 must be an integer of at least 0"),
        (lambda x, y: {"seed": True}, "seed=True must be"),
        (lambda x, y: {"device": "abacus"}, "device 'abacus' cannot be used"),
    ],
)
def test_bad_input_is_said_with_its_counts(novel, change, message):
    arguments = {"features": novel[0], "labels": novel[1], "device": "cpu"}
    with pytest.raises(InputError, match=message):
        evaluate_fewshot(**arguments | change(*novel))


def test_errors_are_value_errors(novel):
    with pytest.raises(ValueError, match="ways=0"):
        evaluate_fewshot(*novel, ways=0)
