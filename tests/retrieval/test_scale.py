"""Only directions count: lengths of any size change no score, with every step and search."""

import numpy as np
import pytest
import torch

from lowlabel.retrieval import (
    evaluate_copies,
    evaluate_retrieval,
    evaluate_revisited,
    learn_whitening,
    top_images,
)
from lowlabel.retrieval.post import POST_PROCESSING
from lowlabel.retrieval.search import INDEXES

NUMBERLESS = ("int8", "binary")
STEPS = [(), *((n if n in NUMBERLESS else f"{n}:5",) for n in POST_PROCESSING)]
STEPS += [("whiten:8", "dba:3", "aqe:3")]
STEPS += [("whiten:5,covariance=reference",)]
SCALES = [(-120, np.float32), (-40, np.float32), (62, np.float32), (120, np.float32)]
SCALES += [(-1000, np.float64), (-200, np.float64), (127, np.float64), (1000, np.float64)]
SCALES += [("rows", np.float32), ("rows", np.float64)]
COMMON = SCALES[:-2]  # one power of two for all rows: lengths may count


@pytest.fixture
def data(clustered):
    """Images, labels and training images, with entries far enough from 0 for every scale."""
    x, labels = clustered(images=90, classes=9, width=16)
    train, _ = clustered(images=60, width=16, seed=1)
    return np.where(x < 0, x - 0.125, x + 0.125), labels, train + 4


def scaled(x, scale, dtype):
    """Multiplies all rows by a power of two, or each row by another one."""
    if scale == "rows":
        most = 100 if dtype == np.float32 else 900
        scale = np.random.default_rng(3).integers(-most, most, (len(x), 1))
    return np.ldexp(x.astype(dtype), scale)


def same(found, expected):
    for name, values in expected.per_query.items():
        np.testing.assert_array_equal(found.per_query[name], values)
    assert found.metrics == pytest.approx(expected.metrics, abs=1e-9, nan_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("post", STEPS)
@pytest.mark.parametrize("with_gallery", [False, True])
def test_class_retrieval(data, post, with_gallery):
    x, labels, train = data

    def evaluate(scale, dtype):
        rows, others = scaled(x, scale, dtype), scaled(train, scale, dtype)
        sides = (rows, labels), None
        if with_gallery:
            sides = (rows[:40], labels[:40]), (rows[40:], labels[40:])
        return evaluate_retrieval(
            *sides[0], gallery=sides[1], train=others, train_labels=np.arange(60) // 3, post=post
        )

    for scale, dtype in COMMON if "reference" in str(post) else SCALES:
        same(evaluate(scale, dtype), evaluate(0, dtype))


@pytest.mark.parametrize("search", INDEXES)
def test_an_index(data, search):
    pytest.importorskip("faiss")
    x, labels, _ = data
    for scale, dtype in SCALES:
        expected = evaluate_retrieval(x.astype(dtype), labels, search=search)
        same(evaluate_retrieval(scaled(x, scale, dtype), labels, search=search), expected)


def test_clustering(data):
    x, labels, _ = data
    for scale, dtype in SCALES:
        expected = evaluate_retrieval(x.astype(dtype), labels, nmi=True)
        same(evaluate_retrieval(scaled(x, scale, dtype), labels, nmi=True), expected)


def test_the_top_images(data):
    x, _, _ = data
    for scale, dtype in SCALES:
        expected = top_images(x.astype(dtype), 5, queries=[0, 7])
        found = top_images(scaled(x, scale, dtype), 5, queries=[0, 7])
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("covariance", [None, "centred", "reference"])
@pytest.mark.parametrize("protocol", ["landmarks", "copies"])
def test_instance_retrieval(data, protocol, covariance):
    x, _, train = data
    truth = [{"easy": [20 + i], "hard": [40 + i], "junk": [i]} for i in range(10)]

    def evaluate(scale, dtype):
        rows, others = scaled(x, scale, dtype), scaled(train, scale, dtype)
        transform = None
        if covariance:
            transform = learn_whitening(others, rows[:60], f"whiten:8,covariance={covariance}")
        options = {"transform": transform, "distractors": rows[60:]}
        if protocol == "landmarks":
            return evaluate_revisited(rows[:10], rows[:60], truth, **options)
        groups = np.arange(60) % 10
        return evaluate_copies(rows[:10], groups[:10], rows[10:60], groups[10:], **options)

    for scale, dtype in COMMON if covariance == "reference" else SCALES:
        same(evaluate(scale, dtype), evaluate(0, dtype))


def test_whitened_rows_are_the_same_numbers(data):
    x, _, train = data
    for scale, dtype in SCALES:
        expected = learn_whitening(train.astype(dtype), x)(torch.from_numpy(x.astype(dtype)))
        rows = torch.from_numpy(scaled(x, scale, dtype))
        found = learn_whitening(scaled(train, scale, dtype), x)(rows)
        assert torch.equal(found, expected)
