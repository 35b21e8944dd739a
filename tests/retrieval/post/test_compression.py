"""Fewer dimensions and fewer bits, against brute force."""

import numpy as np
import pytest

from lowlabel.errors import InputError
from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.post import build_chain, build_post, bytes_per_image

random = np.random.default_rng(0)


@pytest.fixture
def data():
    labels = np.arange(90) % 9
    features = random.normal(size=(9, 40))[labels] + 1.5 * random.normal(size=(90, 40))
    return features.astype(np.float32), labels


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def as_int8(rows):
    scale = np.abs(rows).max(1, keepdims=True) / 127
    return np.round(rows / scale)


def test_truncated_rows_are_those_of_the_first_dimensions(data, brute_force):
    features, labels = data
    found = evaluate_retrieval(features, labels, post=["truncate:7"]).per_query
    for name, values in brute_force(features[:, :7], labels).items():
        np.testing.assert_allclose(found[name], values, err_msg=name)


def test_int8_rows_are_whole_numbers_by_the_scale_of_the_row(data, brute_force):
    features, labels = data
    whole = as_int8(unit(features.astype(float)))
    assert np.abs(whole).max(1).tolist() == [127] * 90
    found = evaluate_retrieval(features.astype(float), labels, post=["int8"]).per_query
    for name, values in brute_force(whole, labels).items():
        np.testing.assert_allclose(found[name], values, err_msg=name)


@pytest.mark.parametrize("ties", ["pessimistic", "optimistic", "index"])
def test_binary_rows_are_ranked_by_their_hamming_distance(data, ties):
    features, labels = data
    bits = features > 0
    distance = (bits[:, None] != bits[None]).sum(2)
    recall = []
    for row in range(90):
        others = np.arange(90) != row
        positive = labels == labels[row]
        second = {"pessimistic": positive, "optimistic": ~positive, "index": np.arange(90)}[ties]
        order = np.lexsort((np.arange(90), second, distance[row]))
        order = order[others[order]]
        recall.append([positive[order[:k]].any() for k in (1, 4)])
    found = evaluate_retrieval(features, labels, post=["binary"], ties=ties, ks=(1, 4)).metrics
    assert [found["recall@1"], found["recall@4"]] == pytest.approx(100 * np.mean(recall, axis=0))


def test_the_float32_and_the_float64_rows_give_the_same_bits(data):
    features, labels = data
    for post in ("binary", "truncate:9"):
        single, double = (
            evaluate_retrieval(rows, labels, post=[post]).metrics
            for rows in (features, features.astype(float))
        )
        assert single == pytest.approx(double)


def test_steps_go_in_order(data, brute_force):
    features, labels = data
    found = evaluate_retrieval(features, labels, post=["truncate:10", "binary"]).metrics
    again = evaluate_retrieval(features[:, :10], labels, post=["binary"]).metrics
    assert found == pytest.approx(again)
    other = random.normal(size=(200, 40)).astype(np.float32)
    whitened = evaluate_retrieval(
        features, labels, train=other, post=["truncate:10", "whiten:6", "int8"]
    ).metrics
    by_hand = evaluate_retrieval(
        features[:, :10], labels, train=other[:, :10], post=["whiten:6", "int8"]
    ).metrics
    assert whitened == pytest.approx(by_hand, abs=1.0)  # rows are scaled to length 1 in between


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        ((), 1536),
        (("truncate:128",), 512),
        (("int8",), 384),
        (("binary",), 48),
        (("truncate:100", "binary"), 13),
        (("whiten:64", "int8"), 64),
        (("whiten", "binary"), 48),
        (("int8", "aqe:3"), 1536),
    ],
)
def test_bytes_per_image(post, expected):
    assert bytes_per_image(build_chain(post), 384) == expected


def test_wrong_options_are_refused(data):
    features, labels = data
    with pytest.raises(InputError, match="int8 takes no value"):
        build_post("int8:4")
    with pytest.raises(InputError, match="must be at least 1"):
        build_post("truncate:0")
    with pytest.raises(InputError, match="keeps more dimensions than the 40"):
        evaluate_retrieval(features, labels, post=["truncate:64"])
    with pytest.raises(InputError, match="all zero"):
        evaluate_retrieval(np.eye(12, dtype=np.float32), np.arange(12) % 3, post=["truncate:5"])


def test_specs():
    assert [build_post(spec).spec for spec in ("truncate", "truncate:9", "int8", "binary")] == [
        "truncate:128",
        "truncate:9",
        "int8",
        "binary",
    ]
