"""What a common scale of all features changes: nothing, or it is said; for every method."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from lowlabel.errors import InputError
from lowlabel.fewshot import METHODS, build_method
from lowlabel.fewshot.preparation.prepared import prepare

NORMS = ("none", "l2", "cl2n", "tukey", "tukey-l2")
QUICK = {"iterations": 12, "rate": 0.01, "samples": 30}
SINGLE = [-120, -63, -41, -10, -1, 1, 10, 35, 63, 99, 120]
DOUBLE = [-1000, -200, -127, -60, 60, 127, 200, 1000]


def specs():
    """Every method with every norm that it can have, and few iterations."""
    for name, kind in METHODS.items():
        options = {option.name for option in fields(kind)}
        quick = "".join(f",{key}={value}" for key, value in QUICK.items() if key in options)
        for norm in NORMS if "norm" in options else [None]:
            spec = f"{name}{quick}" + (f",norm={norm}" if norm else "")
            try:
                build_method(spec)
            except InputError:
                continue
            yield spec
    yield "pt-map,beta=1,iterations=12"


def with_lengths(*lengths):
    return [spec for spec in specs() if build_method(spec).lengths in lengths]


@pytest.fixture(scope="module")
def data(novel, base):
    """Novel and base features with entries far enough from 0 for every scale."""
    (x, labels), (base_x, base_labels) = novel, base
    return np.abs(x) + 0.25, labels, np.abs(base_x) + 0.25, base_labels


def scaled(data, power, dtype):
    x, labels, base_x, base_labels = data
    x, base_x = (np.ldexp(array.astype(dtype), power) for array in (x, base_x))
    return {"features": x, "labels": labels, "base": (base_x, base_labels)}


def prepared(spec, features, labels, base):
    return prepare(build_method(spec), features, base, torch.device("cpu"))


def test_the_methods_of_each_kind_are_as_documented():
    kinds = {spec.split(",")[0]: build_method(spec).lengths for spec in METHODS}
    assert {name for name, kind in kinds.items() if kind == "absolute"} == {
        "ridge",
        "logreg",
        "svm",
        "dc",
    }
    assert {name for name, kind in kinds.items() if kind == "ignored"} == {
        "tim",
        "alpha-tim",
        "pt-map",
        "dc-sslvit",
    }


@pytest.mark.slow
@pytest.mark.parametrize("spec", with_lengths("ignored", "relative"))
def test_a_power_of_two_leaves_every_prepared_number_as_it_is(data, spec):
    expected = prepared(spec, **scaled(data, 0, np.float32))
    for dtype, powers in ((np.float32, SINGLE), (np.float64, DOUBLE)):
        for power in powers:
            found = prepared(spec, **scaled(data, power, dtype))
            assert torch.equal(found.features, expected.features), power
            assert torch.equal(found.base.unit.features, expected.base.unit.features), power
            if build_method(spec).lengths == "relative":
                assert torch.equal(found.base.mean, expected.base.mean), power


@pytest.mark.parametrize("spec", with_lengths("ignored", "relative"))
def test_a_power_of_two_changes_no_accuracy(data, run, spec):
    options = {"method": spec, "shots": 3, "tasks": 4}
    expected = run(**scaled(data, 0, np.float32), **options).accuracies
    assert expected.mean() > 35
    for power, dtype in ((-120, np.float32), (64, np.float32), (120, np.float32), (-900, float)):
        found = run(**scaled(data, power, dtype), **options).accuracies
        assert np.array_equal(found, expected), power


@pytest.mark.slow
@pytest.mark.parametrize("spec", [spec for spec in specs() if spec.endswith("norm=cl2n")])
def test_base_features_of_another_scale_are_refused_where_they_hide_the_others(data, run, spec):
    x, labels, base_x, base_labels = data
    for power in (-120, -20, 3):
        run(x, labels, base=(np.ldexp(base_x, power), base_labels), method=spec)
    for power in (16, 28, 120):
        with pytest.raises(InputError, match="times that of the median row"):
            run(x, labels, base=(np.ldexp(base_x, power), base_labels), method=spec)


@pytest.mark.parametrize("spec", with_lengths("ignored"))
def test_the_length_of_single_rows_changes_nothing(data, run, spec):
    given, options = scaled(data, 0, np.float64), {"method": spec, "shots": 3, "tasks": 4}
    expected = run(**given, **options).accuracies
    changed = given | {"features": given["features"].copy(), "base": given["base"]}
    changed["features"][::7] *= 2.0**400
    changed["features"][1::7] *= 2.0**-400
    assert np.array_equal(run(**changed, **options).accuracies, expected)


@pytest.mark.slow
@pytest.mark.parametrize("spec", with_lengths("absolute"))
def test_a_method_with_a_scale_of_its_own_is_right_or_says_that_it_cannot_be(run, spec):
    random = np.random.default_rng(0)
    labels = np.arange(6).repeat(20)
    x = np.abs(random.normal(size=(6, 24)))[labels] + 0.1 * random.random((120, 24))
    refused = 0
    for dtype, powers in ((np.float32, SINGLE), (np.float64, DOUBLE)):
        for power in (0, 20, -20, *powers):
            features = np.ldexp(x.astype(dtype), power)
            options = {"method": spec, "shots": 3, "tasks": 4, "base": (features, labels)}
            try:
                assert run(features, labels, **options).mean > 80, power
            except InputError as error:
                name = build_method(spec).name
                assert name in str(error) or "in float32" in str(error), power
                assert error.hint
                refused += 1
                assert power != 0
    assert refused


@pytest.mark.slow
@pytest.mark.parametrize("width", [6, 25])
@pytest.mark.parametrize("spec", ["ridge", "svm", "svm,c=100", "logreg"])
def test_few_dimensions_are_no_obstacle_at_any_scale(run, spec, width):
    random = np.random.default_rng(1)
    labels = np.arange(6).repeat(20)
    x = (3 * random.normal(size=(6, width))[labels] + random.normal(size=(120, width))).astype("f4")
    for power in (0, 7, 14, 27, 60):
        try:
            found = run(np.ldexp(x, power), labels, spec, shots=5, tasks=5).mean
        except InputError as error:
            assert spec.split(",")[0] in str(error)
            assert power > 10
        else:
            assert found > 40, power  # of 6 in 26 dimensions 5 shots are near the worst for ridge


def mixed(novel, power):
    x = novel[0].astype(np.float64)
    x[5] *= 2.0**power
    return x, novel[1]


def nearest(plain):
    return lambda support, labels, query: plain.squared_distances(
        query, plain.means(support, labels)
    ).argmin(1)


def most_similar(plain):
    return lambda support, labels, query: (
        plain.unit(query) @ plain.unit(plain.means(support, labels)).T
    ).argmax(1)


@pytest.mark.parametrize(("spec", "predict"), [("ncm", nearest), ("cosine", most_similar)])
@pytest.mark.parametrize("power", [-110, -60, 20, 45, 100])
@pytest.mark.parametrize("shots", [1, 3])
def test_one_row_of_another_length_leaves_the_others_right(
    novel, run, oracle, plain, spec, predict, power, shots
):
    x, labels = mixed(novel, power)
    expected = oracle(x, labels, predict(plain), shots=shots, tasks=60)
    found = run(x, labels, spec, shots=shots, tasks=60).accuracies
    difference = np.abs(found - expected)
    assert difference.max() < 100 / 75 + 1e-9  # the row itself, if distances to it overflow
    assert difference.mean() < 0.3


@pytest.mark.parametrize(("spec", "predict"), [("ncm", nearest), ("cosine", most_similar)])
def test_classes_of_tiny_features_are_told_apart_too(novel, run, oracle, plain, spec, predict):
    x, labels = novel[0].astype(np.float64), novel[1]
    x[np.isin(labels, np.unique(labels)[:3])] *= 2.0**-100
    expected = oracle(x, labels, predict(plain), ways=3, shots=3, tasks=100)
    found = run(x, labels, spec, ways=3, shots=3, tasks=100).accuracies
    assert np.abs(found - expected).mean() < 0.1
