"""What changes no score of retrieval, whatever the embeddings."""

import numpy as np
import pytest
from drawn import containers, drawn, exponents, other_names, shuffled
from hypothesis import given
from hypothesis import strategies as st

from lowlabel.retrieval import evaluate_retrieval, evaluate_revisited

seeds = st.integers(0, 999)
ties = st.sampled_from(["pessimistic", "optimistic"])


def scores(*arrays, **options):
    return evaluate_retrieval(*arrays, ks=(1, 2), device="cpu", **options)


def assert_same(found, expected, rows=slice(None)):
    assert found.metrics == pytest.approx(expected.metrics, abs=1e-9, nan_ok=True)
    for name, values in expected.per_query.items():
        np.testing.assert_array_equal(found.per_query[name], values[rows], err_msg=name)


@given(drawn(), seeds, ties)
def test_the_order_of_the_images_changes_no_query(data, seed, ties):
    rows = shuffled(data, seed)
    found = scores(*data.ordered(rows).pair, ties=ties)
    assert_same(found, scores(*data.pair, ties=ties), rows)


@given(drawn(), seeds, ties)
def test_the_names_of_the_classes_change_nothing(data, seed, ties):
    renamed = data.renamed(other_names(data, seed))
    assert_same(scores(*renamed.pair, ties=ties), scores(*data.pair, ties=ties))


@given(drawn(), st.data(), ties)
def test_the_lengths_of_the_rows_change_nothing(data, more, ties):
    count = len(data.labels)
    powers = more.draw(st.lists(exponents, min_size=count, max_size=count))
    assert_same(scores(*data.scaled(powers).pair, ties=ties), scores(*data.pair, ties=ties))


@given(drawn(), containers)
def test_every_kind_of_array_gives_the_same(data, container):
    assert_same(scores(*data.given(container)), scores(*data.pair))


@given(drawn(), seeds, ties)
def test_a_gallery_twice_as_full_of_the_same_finds_the_same_first(data, seed, ties):
    """Every image of the gallery stands there twice; the best rank is the same or doubled."""
    half = len(data.labels) // 2
    query, gallery = data.ordered(np.arange(half)), data.ordered(np.arange(half, len(data.labels)))
    twice = gallery.ordered(np.tile(np.arange(len(gallery.labels)), 2))
    if not np.isin(query.labels, gallery.labels).any():
        return
    once = scores(*query.pair, gallery=gallery.pair, ties=ties)
    again = scores(*query.pair, gallery=twice.pair, ties=ties)
    np.testing.assert_array_equal(
        once.per_query["recall@1"], again.per_query["recall@1"], err_msg="recall@1"
    )


@given(drawn(), containers, seeds)
def test_a_gallery_of_the_images_themselves_finds_them_first(data, container, seed):
    """Copies of an image in other classes are ties, which count for it if optimistic."""
    gallery = data.ordered(shuffled(data, seed))
    found = scores(*data.given(container), gallery=gallery.given(container), ties="optimistic")
    assert found.metrics["recall@1"] == 100


@given(drawn(least=3), seeds, st.data())
def test_landmarks_follow_their_rows(data, seed, more):
    images = len(data.labels)
    query = data.ordered(np.arange(2))
    judged = more.draw(st.permutations(range(images)))
    truth = [
        {"easy": judged[:2], "hard": judged[2:4], "junk": judged[4:5]},
        {"easy": judged[1:3], "hard": [], "junk": judged[3:6]},
    ]
    rows = shuffled(data, seed)
    place = np.argsort(rows)
    moved = [{kind: place[each].tolist() for kind, each in one.items()} for one in truth]
    expected = evaluate_revisited(query.features, data.features, truth, ks=(1, 5), device="cpu")
    power = more.draw(exponents)
    found = evaluate_revisited(
        query.scaled(power).features, data.ordered(rows).features, moved, ks=(1, 5), device="cpu"
    )
    assert found.metrics == pytest.approx(expected.metrics, abs=1e-9, nan_ok=True)
    container = more.draw(containers)
    given_otherwise = evaluate_revisited(
        query.given(container)[0], data.given(container)[0], truth, ks=(1, 5), device="cpu"
    )
    assert given_otherwise.metrics == pytest.approx(expected.metrics, abs=1e-9, nan_ok=True)
