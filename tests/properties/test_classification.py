"""What changes no score of k-NN, linear probes and label budgets, whatever the embeddings."""

import numpy as np
import pytest
from drawn import Drawn, containers, drawn, exponents, other_names, shuffled
from hypothesis import given
from hypothesis import strategies as st

from lowlabel.classification import evaluate_knn, evaluate_label_budget, evaluate_linear
from lowlabel.classification.probe.recipe import LinearRecipe

seeds = st.integers(0, 999)
SHORT = LinearRecipe(learning_rates=(0.1,), batch_size=8, epochs=2)


@st.composite
def halves(draw, **options):
    """Train and test of the same classes."""
    data = draw(drawn(least=4, **options))
    test = np.zeros(len(data.labels), bool)
    for label in np.unique(data.labels):
        test[np.flatnonzero(data.labels == label)[:2]] = True
    return data.ordered(np.flatnonzero(~test)), data.ordered(np.flatnonzero(test))


def knn(train, test, **options):
    return evaluate_knn(*train, *test, k=(1, 3), clip_k=True, device="cpu", **options)


def assert_same_hits(found, expected, rows=slice(None)):
    for name, hits in expected.correct.items():
        np.testing.assert_array_equal(found.correct[name], hits[rows], err_msg=name)


@given(halves(), seeds)
def test_knn_of_test_images_in_another_order(data, seed):
    train, test = data
    rows = shuffled(test, seed)
    assert_same_hits(knn(train.pair, test.ordered(rows).pair), knn(train.pair, test.pair), rows)


@given(halves(copies=False), seeds)
def test_knn_of_train_images_in_another_order(data, seed):
    train, test = data
    rows = shuffled(train, seed)
    assert_same_hits(knn(train.ordered(rows).pair, test.pair), knn(train.pair, test.pair))


@given(halves(), seeds, exponents, exponents, containers)
def test_knn_of_other_names_lengths_and_arrays(data, seed, one, other, container):
    train, test = data
    expected = knn(train.pair, test.pair)
    names = other_names(train, seed, rising=True)
    assert_same_hits(knn(train.renamed(names).pair, test.renamed(names).pair), expected)
    assert_same_hits(knn(train.scaled(one).pair, test.scaled(other).pair), expected)
    assert_same_hits(knn(train.given(container), test.given(container)), expected)


@given(halves())
def test_the_nearest_of_train_images_are_themselves(data):
    train, _ = data
    unique = np.unique(train.features, axis=0, return_index=True)[1]
    alone = train.ordered(np.sort(unique))
    directions = alone.features / np.linalg.norm(alone.features, axis=1, keepdims=True)
    if len(np.unique(directions.round(5), axis=0)) < len(directions):
        return  # images of one direction are as near as the image itself
    assert knn(alone.pair, alone.pair).metrics["top1@1"] == 100


def linear(train, test, **options):
    return evaluate_linear(*train, *test, recipe=SHORT, device="cpu", **options)


@given(halves(), seeds, containers)
def test_a_linear_probe_of_other_names_orders_and_arrays(data, seed, container):
    train, test = data
    expected = linear(train.pair, test.pair).metrics
    assert linear(train.given(container), test.given(container)).metrics == expected
    names = other_names(train, seed, rising=True)
    found = linear(train.renamed(names).pair, test.renamed(names).pair).metrics
    assert found == expected
    found = linear(train.pair, test.ordered(shuffled(test, seed)).pair).metrics
    assert found == pytest.approx(expected, abs=1e-4)


def budget(train, test):
    found = evaluate_label_budget(
        *train, *test, budgets=(1, 2), methods=("ncm,norm=l2", "knn,k=1"), draws=2, device="cpu"
    )
    return {
        (each.budget, each.method): {name: by.tolist() for name, by in each.by_draw.items()}
        for each in found.results
    }


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for key, metrics in expected.items():
        for name, by_draw in metrics.items():
            assert found[key][name] == pytest.approx(by_draw, abs=1e-9, nan_ok=True), (key, name)


@given(halves(copies=False), seeds, exponents, containers)
def test_a_label_budget_of_other_names_lengths_orders_and_arrays(data, seed, power, container):
    train, test = data
    expected = budget(train.pair, test.pair)
    assert_close(budget(train.given(container), test.given(container)), expected)
    names = other_names(train, seed, rising=True)
    assert_close(budget(train.renamed(names).pair, test.renamed(names).pair), expected)
    assert_close(budget(train.scaled(power).pair, test.scaled(power).pair), expected)
    assert_close(budget(train.pair, test.ordered(shuffled(test, seed)).pair), expected)


def test_the_strategies_draw_what_they_say():
    data = Drawn(np.eye(3, dtype=np.float32), np.array([5, 5, 9]))
    assert data.renamed(np.array([1, 0])).labels.tolist() == [1, 1, 0]
