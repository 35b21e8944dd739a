"""Equal embeddings are ties after every post-processing: nothing may tell them apart."""

from itertools import permutations

import numpy as np
import pytest

from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.post import build_post

STEPS = (
    *("aqe:3", "aqe:3,rule=reference", "dba:3", "dba:3,weights=reference"),
    *("whiten:4", "whiten-pairs", "whiten,covariance=reference"),
    *("k-reciprocal:5", "k-reciprocal:4,k2=1,weight=0,overlap=paper", "diffusion:5"),
)


def possible(first, second):
    first, second = build_post(first), build_post(second)
    one_sided = first.name in {"aqe", "dba"} and second.gives_similarities
    trained_twice = first.needs_train and second.needs_train
    return not (first.gives_similarities or second.needs_raw or one_sided or trained_twice)


CHAINS = [*((step,) for step in STEPS), *(p for p in permutations(STEPS, 2) if possible(*p))]
LABELS = np.arange(60) % 6


@pytest.fixture(params=[np.float32, np.float64])
def row(request):
    return np.random.default_rng(1).standard_normal(9).astype(request.param)


def scores(x, post, sides, ties="pessimistic"):
    rng = np.random.default_rng(2)
    train, pairs = rng.standard_normal((50, x.shape[1])).astype(x.dtype), np.arange(50) // 5
    queries, gallery = (x, LABELS), None
    if sides == "gallery":
        queries, gallery = (x[:20], LABELS[:20]), (x[20:], LABELS[20:])
    if sides == "other queries":
        queries = rng.standard_normal((20, x.shape[1])).astype(x.dtype), LABELS[:20]
        gallery = x[20:], LABELS[20:]
    options = {"train": train, "train_labels": pairs, "post": post, "ks": (1, 4), "ties": ties}
    return evaluate_retrieval(*queries, gallery=gallery, **options).metrics


@pytest.mark.slow
@pytest.mark.parametrize("post", CHAINS, ids="+".join)
@pytest.mark.parametrize("sides", ["leave-one-out", "gallery", "other queries"])
def test_constant_embeddings_score_nothing(row, post, sides):
    found = scores(np.tile(row, (60, 1)), post, sides)
    assert {found[name] for name in ("recall@1", "recall@4", "map@r", "r_precision")} == {0}


@pytest.mark.slow
@pytest.mark.parametrize(
    "post", [c for c in CHAINS if not build_post(c[0]).needs_raw], ids="+".join
)
@pytest.mark.parametrize("sides", ["leave-one-out", "gallery"])
def test_lengths_and_their_rounding_make_no_difference(row, post, sides):
    lengths = np.random.default_rng(3).uniform(0.1, 9, (60, 1)).astype(row.dtype)
    assert scores(row * lengths, post, sides)["recall@4"] == 0


@pytest.mark.parametrize("post", [(), *CHAINS], ids="+".join)
def test_twins_of_other_classes_come_first(row, post):
    """Ten images in six classes each: the five twins of a query are all of other classes."""
    x = np.repeat(np.random.default_rng(4).standard_normal((10, 9)), 6, axis=0).astype(row.dtype)
    assert scores(x, post, "leave-one-out")["recall@1"] == 0


def test_optimistic_ties_hold_as_well(row):
    for post in (("k-reciprocal:5",), ("diffusion:5",)):
        assert scores(np.tile(row, (60, 1)), post, "gallery", "optimistic")["map@r"] == 100
