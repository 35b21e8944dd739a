"""Indexes of faiss against the exact search, and what they cannot do."""

import numpy as np
import pytest
import torch

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.ranking import nearest as neighbours
from lowlabel.retrieval.ranking import top_k_ranker as listed
from lowlabel.retrieval.ranking.nearest import nearest
from lowlabel.retrieval.search import INDEXES, base, build_index

pytest.importorskip("faiss")

SHARED = ("recall@1", "recall@8", "precision@1", "map@r", "r_precision")
EXHAUSTIVE = ("flat", "ivf,lists=8,probe=8", "hnsw,ef=400,construction=400")


@pytest.mark.parametrize("block", [2**25, 200])
@pytest.mark.parametrize("own", [True, False])
def test_nearest_equals_a_full_sort(monkeypatch, block, own):
    monkeypatch.setattr(neighbours, "_BLOCK_VALUES", block)
    rng = np.random.default_rng(0)
    gallery = rng.standard_normal((70, 6))
    queries, itself = gallery[20:50], np.arange(20, 50)
    similarity = queries @ gallery.T
    lowest = similarity.min(axis=1)
    if own:
        similarity[np.arange(30), itself] = -np.inf
    order = np.argsort(-similarity, axis=1)[:, :9]
    found = nearest(
        torch.from_numpy(queries),
        torch.from_numpy(gallery),
        9,
        own=torch.from_numpy(itself) if own else None,
        lowest=True,
    )
    np.testing.assert_array_equal(found.rows, order)
    np.testing.assert_allclose(found.similarity, np.take_along_axis(similarity, order, 1))
    np.testing.assert_allclose(found.lowest, lowest)


@pytest.mark.parametrize("spec", EXHAUSTIVE)
@pytest.mark.parametrize("ties", ["pessimistic", "optimistic"])
def test_exhaustive_indexes_score_as_the_exact_search(clustered, spec, ties):
    x, labels = clustered(images=300, classes=30)
    x[250:] = x[:50]
    labels[7] = 99
    for gallery in (None, (x[100:], labels[100:])):
        queries = (x, labels) if gallery is None else (x[:100], labels[:100])
        exact = evaluate_retrieval(*queries, gallery=gallery, ks=(1, 8), ties=ties)
        result = evaluate_retrieval(*queries, gallery=gallery, ks=(1, 8), ties=ties, search=spec)
        assert set(result.metrics) == {*SHARED, "search_recall"}
        for name in SHARED:
            np.testing.assert_allclose(result.per_query[name], exact.per_query[name], atol=1e-9)
        assert result.metrics["search_recall"] == 100
        assert np.isnan(result.ci95["search_recall"])


def test_measured_recall_is_that_of_the_lists(clustered):
    """A single probed cell misses neighbours; the share is counted by hand."""
    x, labels = clustered(images=600, classes=30)
    unit = torch.nn.functional.normalize(torch.from_numpy(x))
    index = build_index("ivf,lists=24,probe=1")
    rows = torch.arange(600)
    found = index.search(unit, 8, own=True).nearest(unit, rows).rows.numpy()
    exact = nearest(unit, unit, 8, own=rows).rows.numpy()
    share = np.mean([len(set(a) & set(b)) / 8 for a, b in zip(found, exact, strict=True)])
    result = evaluate_retrieval(x, labels, ks=(1, 8), search="ivf,lists=24,probe=1")
    assert 10 < 100 * share < 90
    assert (found >= 0).any(axis=1).all()
    assert not (found == np.arange(600)[:, None]).any()
    depth = max(8, np.bincount(labels).max() - 1)
    deep = index.search(unit, int(depth), own=True).nearest(unit, rows).rows.numpy()[:, :8]
    share = np.mean([len(set(a) & set(b)) / 8 for a, b in zip(deep, exact, strict=True)])
    assert result.metrics["search_recall"] == pytest.approx(100 * share, abs=1e-9)


def test_constant_embeddings_score_nothing(clustered):
    labels = np.repeat(np.arange(30), 10)
    x = np.full((300, 384), 0.1, np.float32)
    for spec in EXHAUSTIVE:
        result = evaluate_retrieval(x, labels, ks=(1, 4), search=spec)
        assert result.metrics["recall@4"] == 0, spec
        assert result.metrics["map@r"] == 0, spec


def test_lists_in_blocks(monkeypatch, clustered):
    x, labels = clustered(images=200, classes=20)
    whole = evaluate_retrieval(x, labels, search="flat")
    monkeypatch.setattr(neighbours, "_BLOCK_VALUES", 3000)
    parts = evaluate_retrieval(x, labels, search="flat")
    for name, values in whole.per_query.items():
        np.testing.assert_array_equal(parts.per_query[name], values)


def test_recall_is_taken_from_a_sample(monkeypatch, clustered):
    monkeypatch.setattr(listed, "_SAMPLE", 10)
    result = evaluate_retrieval(*clustered(), search="flat")
    assert result.metrics["search_recall"] == 100


def test_index_after_post_processing(clustered):
    x, labels = clustered(images=200, classes=20)
    exact = evaluate_retrieval(x, labels, post=("aqe:4",))
    listed_scores = evaluate_retrieval(x, labels, post=("aqe:4",), search="flat")
    assert listed_scores.metrics["map@r"] == pytest.approx(exact.metrics["map@r"], abs=1e-9)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"search": "annoy"}, UnknownNameError, r"unknown search index 'annoy'\n.*flat, hnsw, ivf"),
        ({"search": "ivf,probe=0"}, InputError, "probe=0 of ivf must be positive"),
        ({"search": "hnsw,links=3"}, InputError, "no option 'links'"),
        ({"search": "flat", "ks": (200,)}, InputError, "only 199 other images"),
        ({"search": "flat", "ties": "index"}, InputError, "ties cannot stand by index"),
        ({"search": "flat", "post": ("diffusion:5",)}, InputError, "which an index cannot use"),
    ],
)
def test_bad_input(clustered, options, error, message):
    with pytest.raises(error, match=message):
        evaluate_retrieval(*clustered(images=200, classes=20), **options)


def test_more_neighbours_than_images():
    rows = torch.eye(5)
    for spec in INDEXES:
        with pytest.raises(InputError, match="5 neighbours of a gallery that has 4 images"):
            build_index(spec).search(rows, 5, own=True)
    with pytest.raises(InputError, match="6 neighbours were asked for in a gallery that has 5"):
        nearest(rows, rows, 6)


def test_missing_faiss_is_said(monkeypatch, clustered):
    monkeypatch.setattr(base, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="needs faiss, which is not installed"):
        evaluate_retrieval(*clustered(), search="hnsw")
