import numpy as np
import pytest
import torch

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.retrieval import evaluate_retrieval

TIES = ("pessimistic", "optimistic", "index")


def assert_same(result, expected):
    assert set(result.metrics) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(result.per_query[name], values, rtol=0, atol=1e-9, err_msg=name)
        assert result.metrics[name] == pytest.approx(values.mean(), abs=1e-9)


@pytest.mark.parametrize("ties", TIES)
def test_leave_one_out_equals_brute_force(brute_force, clustered, ties):
    x, labels = clustered()
    x[300:] = x[:100]  # duplicates, most of them across classes
    result = evaluate_retrieval(x, labels, ties=ties)
    assert_same(result, brute_force(x, labels, ties=ties))


@pytest.mark.parametrize("ties", TIES)
def test_gallery_equals_brute_force(brute_force, clustered, ties):
    x, labels = clustered(images=500)
    x[400:450] = x[:50]
    query, gallery = (x[:200], labels[:200]), (x[200:], labels[200:])
    result = evaluate_retrieval(*query, gallery=gallery, ks=(1, 10, 20, 30), ties=ties)
    assert_same(result, brute_force(*query, gallery=gallery, ks=(1, 10, 20, 30), ties=ties))


@pytest.mark.parametrize("ties", TIES)
def test_equal_cosines_of_different_vectors_are_ties(brute_force, ties):
    rng = np.random.default_rng(1)
    x = rng.integers(-1, 2, (300, 7)).astype(np.float32)  # few values: most similarities tie
    x[:, 0] = 1
    x *= rng.integers(1, 100, (300, 1))  # whose lengths round differently
    labels = rng.integers(0, 20, 300)
    result = evaluate_retrieval(x, labels, ties=ties)
    assert_same(result, brute_force(x, labels, ties=ties))


@pytest.mark.parametrize("ties", TIES)
def test_large_classes_equal_brute_force(monkeypatch, brute_force, clustered, ties):
    monkeypatch.setattr("lowlabel.retrieval.ranking.numba_counter._FEW", 100)
    x, labels = clustered(images=500, classes=3, noise=4)
    labels[:20] = 7  # and one small enough for the other way of counting
    x[400:] = x[:100]
    result = evaluate_retrieval(x, labels, ties=ties)
    assert_same(result, brute_force(x, labels, ties=ties))


@pytest.mark.parametrize("spread", [1e-3, 1e-2, 3e-2])
@pytest.mark.parametrize("ties", TIES)
def test_nearly_collapsed_embeddings_equal_brute_force(brute_force, ties, spread):
    rng = np.random.default_rng(2)
    x = rng.standard_normal(40) + spread * rng.standard_normal((200, 40))
    x = x.astype(np.float32)
    labels = rng.integers(0, 20, 200)
    x[150:] = x[:50]
    result = evaluate_retrieval(x, labels, ties=ties)
    assert_same(result, brute_force(x, labels, ties=ties))


def test_constant_embeddings_score_nothing_at_any_k_below_the_negatives():
    labels = np.repeat(np.arange(30), 10)
    x = np.full((300, 384), 0.1, np.float32)
    result = evaluate_retrieval(x, labels, ks=(1, 100, 290), block_size=7)
    assert [result.metrics[f"recall@{k}"] for k in (1, 100, 290)] == [0, 0, 0]
    assert evaluate_retrieval(x, labels, ks=(291,)).metrics["recall@291"] == 100
    assert evaluate_retrieval(x, labels, ties="optimistic").metrics["map"] == 100


def test_a_duplicate_in_another_class_stands_before_every_positive():
    x = np.random.default_rng(4).standard_normal((60, 16)).astype(np.float32)
    classes = np.arange(60) // 2
    twice, labels = np.concatenate([x, x]), np.concatenate([classes, 100 + classes])
    result = evaluate_retrieval(twice, labels, ks=(1, 2))
    assert result.metrics["recall@1"] == 0
    assert result.metrics["recall@2"] < 20
    assert evaluate_retrieval(twice, np.arange(120) % 60, ks=(1,)).metrics["recall@1"] == 100


def test_perfect_pairs_score_100_everywhere():
    x = np.repeat(np.eye(20, dtype=np.float32), 2, axis=0)
    result = evaluate_retrieval(x, np.repeat(np.arange(20), 2))
    assert all(value == 100 for value in result.metrics.values())
    assert all(value == 0 for value in result.ci95.values())


def test_positives_may_be_less_similar_than_zero(brute_force):
    x = np.array([[1, 0.1], [-1, 0.2], [0.1, 1], [-0.2, -1], [-1, 0.7], [0.3, -2]])
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert_same(evaluate_retrieval(x, labels, ks=(1, 5)), brute_force(x, labels, ks=(1, 5)))


@pytest.mark.parametrize("block_size", [5, 64, 1000])
def test_block_size_changes_nothing(clustered, block_size):
    x, labels = clustered(images=150, classes=20)
    whole = evaluate_retrieval(x, labels)
    parts = evaluate_retrieval(x, labels, block_size=block_size)
    for name in whole.per_query:
        np.testing.assert_array_equal(parts.per_query[name], whole.per_query[name])


def test_order_of_images_changes_nothing(clustered):
    x, labels = clustered()
    order = np.random.default_rng(5).permutation(len(x))
    result = evaluate_retrieval(x, labels)
    shuffled = evaluate_retrieval(x[order], labels[order])
    inverse = np.argsort(order)  # every image has others of its class here
    for name, values in result.per_query.items():
        np.testing.assert_array_equal(shuffled.per_query[name][inverse], values)


def test_rotation_and_length_change_nothing(clustered):
    x, labels = clustered()
    rng = np.random.default_rng(6)
    rotation = np.linalg.qr(rng.standard_normal((24, 24)))[0]
    turned = x @ rotation * rng.uniform(1e-3, 1e3, (len(x), 1))
    expected, result = evaluate_retrieval(x, labels), evaluate_retrieval(turned, labels)
    for name, values in expected.per_query.items():
        np.testing.assert_array_equal(result.per_query[name], values)


def test_class_ids_beyond_float32_stay_apart(clustered):
    x, labels = clustered()
    result = evaluate_retrieval(x, 2**24 + labels)
    assert result.metrics == evaluate_retrieval(x, labels).metrics
    assert evaluate_retrieval(x, 2**62 + labels).metrics == result.metrics


def test_lone_queries_are_left_out_or_missed(clustered):
    x, labels = clustered(images=100, classes=10)
    labels[[3, 50]] = [900, 901]
    excluded = evaluate_retrieval(x, labels)
    missed = evaluate_retrieval(x, labels, lone_queries="miss")
    assert excluded.lone == missed.lone == 2
    assert (excluded.queries, missed.queries) == (98, 100)
    assert set(range(100)) - set(excluded.query_index) == {3, 50}
    for name, values in missed.per_query.items():
        assert values[3] == values[50] == 0
        np.testing.assert_array_equal(np.delete(values, [3, 50]), excluded.per_query[name])


def test_lone_queries_of_a_gallery(clustered):
    x, labels = clustered(images=100, classes=10)
    labels[:5] = [-7, 99, 4, 50, 4]
    result = evaluate_retrieval(x[:40], labels[:40], gallery=(x[40:], labels[40:]))
    assert result.lone == 3
    assert list(result.query_index) == [2, 4, *range(5, 40)]


def test_the_interval_over_queries_is_that_of_the_mean(clustered):
    result = evaluate_retrieval(*clustered(), interval="queries")
    for name, values in result.per_query.items():
        expected = 1.96 * np.std(values, ddof=1) / np.sqrt(len(values))
        assert result.ci95[name] == pytest.approx(expected)
    assert result.metrics["recall@1"] == result.metrics["precision@1"]


def test_progress_counts_the_queries(clustered):
    x, labels = clustered(images=200)
    labels[7] = 1000
    for gallery, total in ((None, 200), ((x[8:], labels[8:]), 199)):
        seen = []

        def note(done, total, seen=seen):
            seen.append((done, total))

        evaluate_retrieval(x, labels, gallery=gallery, block_size=32, progress=note)
        assert len(seen) == 7
        assert seen == sorted(seen)
        assert seen[-1] == (total, total)
        assert {total for _, total in seen} == {total}


@pytest.mark.parametrize("large", [False, True])
def test_an_error_in_progress_ends_the_work(monkeypatch, clustered, large):
    limit = "lowlabel.retrieval.ranking.exact_ranker._SYMMETRIC_POSITIVES"
    monkeypatch.setattr(limit, 0 if large else 10**6)
    calls = []

    def stop(done, total):
        calls.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_retrieval(*clustered(), block_size=20, progress=stop)
    assert len(calls) == 1


def test_all_queries_may_be_missed():
    x = np.random.default_rng(0).standard_normal((20, 4))
    result = evaluate_retrieval(x, np.arange(20), lone_queries="miss")
    assert (result.lone, result.queries) == (20, 20)
    assert set(result.metrics.values()) == {0}


def test_reduced_precision_of_the_caller_changes_nothing(clustered):
    x, labels = clustered()
    expected = evaluate_retrieval(x, labels).per_query
    torch.set_float32_matmul_precision("medium")
    try:
        result = evaluate_retrieval(x, labels).per_query
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        blended = evaluate_retrieval(x, labels, gallery=(x, labels)).per_query
    plain = evaluate_retrieval(x, labels, gallery=(x, labels)).per_query
    assert all((blended[name] == plain[name]).all() for name in plain)
    assert all((result[name] == expected[name]).all() for name in expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ks": (1, 20)}, "ks=20 exceeds the 19 other images"),
        ({"labels": np.arange(20)}, "none of the 20 queries"),
        (
            {"labels": np.zeros(20, int)},
            "all 19 images .* have one class",
        ),
        ({"gallery": (np.ones((8, 4)), np.zeros(9, int))}, "gallery labels have the shape"),
        ({"gallery": (np.zeros((8, 4)), np.zeros(8, int))}, "rows of gallery features are all"),
        ({"device": "nowhere"}, "cannot be used"),
        ({"ties": "random"}, "unknown tie policy 'random'"),
        ({"lone_queries": "drop"}, "unknown treatment of lone queries 'drop'"),
    ],
)
def test_bad_input(change, message):
    x = np.random.default_rng(0).standard_normal((20, 4))
    arguments = {"features": x, "labels": np.arange(20) // 2} | change
    with pytest.raises((InputError, UnknownNameError), match=message):
        evaluate_retrieval(arguments.pop("features"), arguments.pop("labels"), **arguments)
