"""What changes no accuracy of few-shot tasks, whatever the embeddings."""

import numpy as np
import pytest
from drawn import containers, drawn, exponents, other_names
from hypothesis import given
from hypothesis import strategies as st

from lowlabel.fewshot import evaluate_fewshot

seeds = st.integers(0, 999)
METHODS = ("ncm", "ncm,norm=l2", "cosine", "ridge,norm=l2", "soft-kmeans,norm=l2n")
methods = st.sampled_from(METHODS)
of_directions = st.sampled_from(["ncm,norm=l2", "cosine", "ridge,norm=l2"])
data = drawn(classes=(3, 6), least=4, copies=False)


def accuracies(features, labels, method, **options):
    found = evaluate_fewshot(
        features,
        labels,
        method=method,
        ways=3,
        shots=1,
        queries=2,
        tasks=20,
        interval="tasks",
        device="cpu",
        **options,
    )
    return found.accuracies


@pytest.mark.slow
@given(data, methods, seeds)
def test_other_names_in_the_same_order_are_the_same_tasks(data, method, seed):
    renamed = data.renamed(other_names(data, seed, rising=True))
    np.testing.assert_array_equal(accuracies(*renamed.pair, method), accuracies(*data.pair, method))


@given(data, methods, containers)
def test_every_kind_of_array_gives_the_same(data, method, container):
    np.testing.assert_array_equal(
        accuracies(*data.given(container), method), accuracies(*data.pair, method)
    )


@given(data, of_directions, st.data())
def test_lengths_do_not_matter_to_methods_of_directions(data, method, more):
    count = len(data.labels)
    powers = more.draw(st.lists(exponents, min_size=count, max_size=count))
    np.testing.assert_array_equal(
        accuracies(*data.scaled(powers).pair, method), accuracies(*data.pair, method)
    )


@given(data, exponents)
def test_a_common_scale_does_not_matter_to_nearest_means(data, power):
    np.testing.assert_array_equal(
        accuracies(*data.scaled(power).pair, "ncm"), accuracies(*data.pair, "ncm")
    )


@given(data, methods, seeds)
def test_a_longer_run_begins_with_the_tasks_of_a_shorter_one(data, method, seed):
    long = accuracies(*data.pair, method, seed=seed)
    blocks = accuracies(*data.pair, method, seed=seed, task_block=3)
    assert blocks == pytest.approx(long, abs=1e-9)
    assert ((long >= 0) & (long <= 100)).all()


@given(data, methods)
def test_classes_that_are_single_points_are_told_apart(data, method):
    names, place = np.unique(data.labels, return_inverse=True)
    points = np.eye(len(names), dtype=np.float32)[place]
    assert (accuracies(points, data.labels, method) == 100).all()
