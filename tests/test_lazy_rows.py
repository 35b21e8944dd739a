"""Rows that are computed as they are read."""

import numpy as np
import pytest
import torch

from lowlabel import lazy_rows as module
from lowlabel.classification import evaluate_knn
from lowlabel.fewshot import evaluate_fewshot
from lowlabel.fewshot.methods import build_method
from lowlabel.fewshot.preparation.prepared import prepare
from lowlabel.lazy_rows import LazyRows, changed, column_means, of_rows, row_blocks
from lowlabel.retrieval import evaluate_retrieval

CPU = torch.device("cpu")


@pytest.fixture
def large(monkeypatch):
    """Takes every table for one that is too large to copy."""
    monkeypatch.setattr(module, "MOST_BYTES", 0)
    monkeypatch.setattr("lowlabel.retrieval.ranking.products.MOST_BYTES", 0)
    monkeypatch.setattr(module, "BLOCK_BYTES", 2**10)


@pytest.fixture
def table():
    return torch.rand(70, 130, generator=torch.Generator().manual_seed(0)) + 0.1


def test_a_large_table_reads_like_the_changed_one(large, table):
    lazy = changed(changed(table, lambda rows: rows * 2), torch.sqrt)
    wanted = (table * 2).sqrt()
    some = torch.tensor([5, 0, 69])
    assert isinstance(lazy, LazyRows)
    assert (lazy.shape, len(lazy), lazy.dtype) == (wanted.shape, 70, wanted.dtype)
    assert torch.equal(lazy[-3:], wanted[-3:])
    assert torch.equal(lazy.index_select(0, some), wanted[some])
    assert torch.equal(torch.cat(list(row_blocks(lazy))), wanted)
    assert torch.equal(of_rows(lazy, lambda rows: rows.amax(1)), wanted.amax(1))
    torch.testing.assert_close(column_means(lazy), wanted.mean(0))


def test_a_table_that_stays_as_it_is_is_not_copied(large, table):
    assert changed(table, lambda rows: rows) is table


@pytest.mark.parametrize(
    "method",
    ["ncm", "ncm,norm=l2", "ncm,norm=cl2n", "logreg,norm=tukey-l2", "dc-sslvit,samples=20", "dc"],
)
def test_a_large_table_has_the_accuracies_of_a_small_one(monkeypatch, request, method):
    rng = np.random.default_rng(0)
    labels, base_labels = np.repeat(np.arange(8), 25), np.repeat(np.arange(5), 20)
    features = (0.3 * rng.random((8, 12))[labels] + 0.3 * rng.random((200, 12))).astype("f4")
    base = 0.3 * rng.random((5, 12))[base_labels] + 0.3 * rng.random((100, 12)), base_labels
    options = {"base": base, "method": method, "tasks": 20, "interval": "tasks", "device": "cpu"}
    small = evaluate_fewshot(features, labels, **options)
    request.getfixturevalue("large")
    lazy = prepare(build_method(method), features, base, CPU).features
    assert isinstance(lazy, LazyRows)
    assert evaluate_fewshot(features, labels, **options).mean == pytest.approx(small.mean, abs=0.2)


def test_chosen_rows_vote_like_copies_of_them(monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 0)
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 50)
    for kind in (np.float32, np.float64):
        features = (rng.random((6, 9))[labels] + rng.random((300, 9))).astype(kind)
        voters = rng.random(300) < 0.5
        train, test = (np.flatnonzero(part) for part in (voters, ~voters))
        copies = (features[train], labels[train], features[test], labels[test])
        table = (features, labels, features, labels)
        found = [
            evaluate_knn(*copies, k=(3, 20), device="cpu").correct,
            evaluate_knn(*table, rows=train, test_rows=test, k=(3, 20), device="cpu").correct,
        ]
        for name, correct in found[0].items():
            np.testing.assert_array_equal(found[1][name], correct)


def test_a_large_gallery_has_the_scores_of_a_small_one(request):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 9, 150)
    features = (rng.random((9, 16))[labels] + rng.random((150, 16))).astype(np.float32)
    small = evaluate_retrieval(features, labels, device="cpu").metrics
    request.getfixturevalue("large")
    assert evaluate_retrieval(features, labels, device="cpu").metrics == pytest.approx(small)
