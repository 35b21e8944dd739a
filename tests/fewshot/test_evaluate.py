import doctest
import sys

import numpy as np
import pytest
import torch

from lowlabel.errors import InputError
from lowlabel.fewshot import build_method, evaluate_fewshot

SMALL = {"tasks": 40, "queries": 5, "device": "cpu"}


def test_the_result_says_what_was_run(novel):
    result = evaluate_fewshot(*novel, ways=4, shots=2, queries=6, tasks=30, seed=9, device="cpu")
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
        evaluate_fewshot(*novel, tasks=tasks, task_block=20, device="cpu").accuracies
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


@pytest.mark.parametrize(
    "convert",
    [
        lambda x, y: (x.astype(np.float64), y.astype(np.int16)),
        lambda x, y: (torch.tensor(x, requires_grad=True), torch.tensor(y)),
        lambda x, y: (torch.tensor(x).double(), y.tolist()),
        lambda x, y: (np.asfortranarray(x), y.astype(">i8")),
        lambda x, y: (x.astype(">f8"), y.astype(np.int8)),
        lambda x, y: (np.broadcast_to(x[::-1][::-1], x.shape), y[::-1][::-1]),  # read-only
    ],
)
def test_any_arrays_of_the_same_values_give_the_same(novel, convert):
    expected = evaluate_fewshot(*novel, **SMALL).accuracies
    assert np.array_equal(evaluate_fewshot(*convert(*novel), **SMALL).accuracies, expected)


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
    assert told == [(16, 40), (32, 40), (40, 40)]


def bad_rows(features, value):
    features = features.copy()
    features[[3, 8, 8], [0, 1, 2]] = value
    return features


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: {"features": x[0]}, r"must be \[images, dimensions\], not of .* \(24,\)"),
        (lambda x, y: {"features": x[:0], "labels": y[:0]}, r"shape \(0, 24\)"),
        (lambda x, y: {"features": x.astype(int)}, "features must be floats, not int64"),
        (lambda x, y: {"features": torch.ones(284, 2, dtype=int)}, "floats, not torch.int64"),
        (lambda x, y: {"features": x.tolist()}, "features must be a numpy array or a torch"),
        (lambda x, y: {"features": x.astype("U8")}, "features must be floats, not <U8"),
        (lambda x, y: {"features": bad_rows(x, np.nan)}, "2 of 284 rows .* NaN or infinity"),
        (lambda x, y: {"features": bad_rows(x, -np.inf)}, "2 of 284 rows of the features"),
        (lambda x, y: {"features": bad_rows(x.astype(float), 1e300)}, "infinity in float32"),
        (lambda x, y: {"features": x * 1e30}, "ncm overflows .* largest entry is [0-9.]+e.30"),
        (lambda x, y: {"labels": y[:-1]}, r"each of the 284 rows .* shape \(283,\)"),
        (lambda x, y: {"labels": y[:, None]}, r"not of the shape \(284, 1\)"),
        (lambda x, y: {"labels": y.astype(float)}, "labels must be integers, not float64"),
        (lambda x, y: {"labels": y > 0}, "labels must be integers, not bool"),
        (lambda x, y: {"labels": [str(name) for name in y]}, "labels must be integers, not <U"),
        (lambda x, y: {"ways": 9}, "9 classes, but the labels hold 8"),
        (lambda x, y: {"shots": 20}, "need 35 images of each class, but class -10 has 25"),
        (lambda x, y: {"base": (x[:, :5], y)}, "base features have 5 dimensions, the features 24"),
        (lambda x, y: {"base": (bad_rows(x, np.nan), y)}, "2 of 284 rows of the base features"),
        (lambda x, y: {"base": (x, y[1:])}, "base labels must be one integer for each"),
        (lambda x, y: {"base": x}, "base must be a pair"),
        (lambda x, y: {"ways": 0}, "ways=0 must be an integer of at least 1"),
        (lambda x, y: {"shots": 0}, "shots=0 must be"),
        (lambda x, y: {"queries": -1}, "queries=-1 must be"),
        (lambda x, y: {"tasks": 0}, "tasks=0 must be"),
        (lambda x, y: {"tasks": 1e3}, r"tasks=1000.0 must be"),
        (lambda x, y: {"ways": True}, "ways=True must be"),
        (lambda x, y: {"seed": -1}, "seed=-1 must be an integer of at least 0"),
        (lambda x, y: {"task_block": 0}, "task_block=0 must be"),
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
