"""Indexes of faiss against the exact search, and what they cannot do."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from lowlabel.errors import InputError, UnknownNameError
from lowlabel.retrieval import evaluate_retrieval
from lowlabel.retrieval.ranking.nearest import Neighbours, nearest
from lowlabel.retrieval.search import INDEXES, Index, build_index

pytest.importorskip("faiss")

SHARED = ("recall@1", "recall@8", "precision@1", "map@r", "r_precision")
EXHAUSTIVE = ("flat", "ivf,lists=8,probe=8", "hnsw,ef=400,construction=400")


@pytest.mark.parametrize("spec", EXHAUSTIVE)
@pytest.mark.parametrize("ties", ["pessimistic", "optimistic", "index"])
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


@pytest.mark.parametrize("spec", ["ivf,lists=24,probe=1", "ivf,probe=2", "hnsw,m=2,ef=4"])
@pytest.mark.parametrize("ties", ["pessimistic", "optimistic", "index"])
@pytest.mark.parametrize("sides", ["leave-one-out", "gallery"])
def test_no_score_of_a_query_exceeds_that_of_the_exact_search(clustered, spec, ties, sides):
    """An index misses negatives too; ranks in its lists would be too good."""
    x, labels = clustered(images=600, classes=12, noise=2.5)
    queries, gallery = (x, labels), None
    if sides == "gallery":
        queries, gallery = (x[:200], labels[:200]), (x[200:], labels[200:])
    options = {"gallery": gallery, "ks": (1, 4), "ties": ties}
    exact = evaluate_retrieval(*queries, **options)
    found = evaluate_retrieval(*queries, search=spec, **options)
    for name in ("recall@1", "recall@4", "precision@1", "map@r", "r_precision"):
        assert (found.per_query[name] <= exact.per_query[name] + 1e-9).all(), name
    assert found.metrics["map@r"] < exact.metrics["map@r"]


@dataclass(frozen=True)
class Listed(Index):
    """An index that returns given rows."""

    name: ClassVar[str] = "listed"
    rows: tuple[tuple[int, ...], ...] = ()

    def make(self, images, width):
        raise AssertionError

    def search(self, gallery, k, *, leave_one_out=False):
        return self

    def nearest(self, queries, numbers):
        rows = torch.tensor(self.rows)[numbers]
        return Neighbours(torch.zeros(rows.shape), rows, torch.empty(0))


def test_positives_that_are_not_found_are_misses_at_the_ranks_of_the_exact_search():
    """The exact ranking is + − + + − −. Found are the third and the fourth, at ranks 3 and 4."""
    angles = np.linspace(0.1, 0.6, 6)
    gallery = np.stack([np.cos(angles), np.sin(angles)], axis=1), [1, 0, 1, 1, 0, 0]
    rows = (2, 3, 5, -1, -1)
    result = evaluate_retrieval(
        [[1.0, 0.0]], [1], gallery=gallery, ks=(1, 2, 3, 4), search=Listed(rows=(rows,))
    )
    recall = [result.metrics[f"recall@{k}"] for k in (1, 2, 3, 4)]
    assert recall == [0, 0, 100, 100]
    assert result.metrics["r_precision"] == pytest.approx(100 / 3)
    assert result.metrics["map@r"] == pytest.approx(100 * (1 / 3) / 3)


def test_equal_positives_are_found_from_the_first_on():
    """Of three equal positives one is found: it has the first of their ranks, not the last."""
    gallery = np.array([[1.0, 0], [0, 1], [0, 1], [0, 1]]), [0, 1, 1, 1]
    listed = Listed(rows=((0, 3, -1, -1),))
    result = evaluate_retrieval([[0.6, 0.8]], [1], gallery=gallery, ks=(1,), search=listed)
    assert result.metrics["recall@1"] == 100
    assert result.metrics["map@r"] == pytest.approx(100 / 3)


@pytest.mark.parametrize("sample", [1000, 10])
def test_measured_recall_is_that_of_the_lists(monkeypatch, clustered, sample):
    """A single probed cell misses neighbours; the share is counted by hand."""
    monkeypatch.setattr("lowlabel.retrieval.ranking.approximate_ranker._RECALL_QUERIES", sample)
    x, labels = clustered(images=600, classes=30)
    unit = torch.nn.functional.normalize(torch.from_numpy(x))
    rows = torch.arange(600)
    depth = int(np.bincount(labels).max())
    index = build_index("ivf,lists=24,probe=1").search(unit, depth, leave_one_out=True)
    found = index.nearest(unit, rows).rows.numpy()[:, :8]
    assert not (found == np.arange(600)[:, None]).any()
    exact = nearest(unit, unit, 8, self_rows=rows).rows.numpy()
    step = max(1, 600 // sample)
    pairs = zip(found[::step], exact[::step], strict=True)
    share = 100 * np.mean([len(set(a) & set(b)) / 8 for a, b in pairs])
    assert 10 < share < 90
    result = evaluate_retrieval(x, labels, ks=(1, 8), search="ivf,lists=24,probe=1")
    assert result.metrics["search_recall"] == pytest.approx(share, abs=1e-9)


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
    monkeypatch.setattr("lowlabel.retrieval.ranking.blocks.BLOCK_VALUES", 3000)
    parts = evaluate_retrieval(x, labels, search="flat")
    for name, values in whole.per_query.items():
        np.testing.assert_array_equal(parts.per_query[name], values)


@pytest.mark.parametrize("spec", ["flat", "ivf,lists=8,probe=2", "hnsw"])
def test_an_index_may_be_given_built_or_by_spec(clustered, spec):
    read = evaluate_retrieval(*clustered(), search=spec)
    built = evaluate_retrieval(*clustered(), search=build_index(spec))
    assert built.metrics == read.metrics


def test_index_after_post_processing(clustered):
    x, labels = clustered(images=200, classes=20)
    exact = evaluate_retrieval(x, labels, post=("aqe:4",))
    flat = evaluate_retrieval(x, labels, post=("aqe:4",), search="flat")
    assert flat.metrics["map@r"] == pytest.approx(exact.metrics["map@r"], abs=1e-9)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"search": "annoy"}, UnknownNameError, r"unknown search index 'annoy'\n.*flat, hnsw, ivf"),
        ({"search": "ivf,probe=0"}, InputError, "probe=0 of ivf must be positive"),
        ({"search": "hnsw,links=3"}, InputError, "no option 'links'"),
        ({"search": "flat", "ks": (200,)}, InputError, "ks=200 exceeds the 199 other images"),
        ({"search": "flat", "post": ("diffusion:5",)}, InputError, "which an index cannot use"),
    ],
)
def test_bad_input(clustered, options, error, message):
    with pytest.raises(error, match=message):
        evaluate_retrieval(*clustered(images=200, classes=20), **options)


def test_more_neighbours_than_images():
    rows = torch.eye(5)
    for spec in INDEXES:
        with pytest.raises(InputError, match=f"5 neighbours .* from {spec} with 4 images"):
            build_index(spec).search(rows, 5, leave_one_out=True)


def test_missing_faiss_is_an_error(monkeypatch, clustered):
    monkeypatch.setattr("lowlabel.retrieval.search.base.find_spec", lambda name: None)
    with pytest.raises(InputError, match="needs faiss, which is not installed"):
        evaluate_retrieval(*clustered(), search="hnsw")
