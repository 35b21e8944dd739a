import pytest
import torch

from lowlabel.retrieval.ranking import exact_ranker as ranking
from lowlabel.retrieval.ranking.counting import Comparison
from lowlabel.retrieval.ranking.counting_torch import TorchCounter
from lowlabel.retrieval.ranking.embeddings import Embeddings
from lowlabel.retrieval.ranking.exact_ranker import Ranking
from lowlabel.retrieval.ranking.positives import gallery_layout, leave_one_out_layout


def compare(x, labels, gallery_from=None):
    x, labels = torch.from_numpy(x), torch.from_numpy(labels)
    if gallery_from is None:
        both = Embeddings.of(x)
        return Comparison(both, both, leave_one_out_layout(labels), "pessimistic", torch.float32)
    layout = gallery_layout(labels[:gallery_from], labels[gallery_from:])
    queries, gallery = Embeddings.of(x[:gallery_from]), Embeddings.of(x[gallery_from:])
    return Comparison(queries, gallery, layout, "pessimistic", torch.float32)


def ranks_by_row(comparison, rows=64, workers=1, counter=None):
    found = {}
    for queries, ranks in Ranking(comparison, torch.clone, rows, workers, counter).run():
        found |= dict(zip(queries.tolist(), ranks.tolist(), strict=True))
    return found


@pytest.fixture
def x_labels(clustered):
    x, labels = clustered(images=250, classes=30)
    labels[200:240] = 99
    return x, labels


@pytest.mark.parametrize(("rows", "workers"), [(7, 2), (40, 3), (300, 1)])
def test_half_the_products_give_the_ranks_of_all(monkeypatch, x_labels, rows, workers):
    expected = ranks_by_row(compare(*x_labels))
    assert ranks_by_row(compare(*x_labels), rows, workers) == expected
    monkeypatch.setattr(ranking, "_SYMMETRIC_POSITIVES", 0)
    assert ranks_by_row(compare(*x_labels), rows, workers) == expected
    monkeypatch.setattr(ranking, "_STRIP_POSITIVES", 50)
    assert ranks_by_row(compare(*x_labels), rows, workers) == expected


@pytest.mark.parametrize("gallery_from", [None, 100])
def test_similarities_of_positives_may_come_by_products(monkeypatch, x_labels, gallery_from):
    comparison = compare(*x_labels, gallery_from)
    expected = ranks_by_row(comparison)
    monkeypatch.setattr(ranking, "_MANY", 1)
    assert ranks_by_row(comparison) == expected


@pytest.mark.parametrize("gallery_from", [None, 100])
def test_counters_give_the_same_ranks(x_labels, gallery_from):
    comparison = compare(*x_labels, gallery_from)
    assert ranks_by_row(comparison) == ranks_by_row(comparison, counter=TorchCounter)


def test_strips_hold_no_more_positives_than_they_may(monkeypatch, x_labels):
    monkeypatch.setattr(ranking, "_STRIP_POSITIVES", 120)
    comparison = compare(*x_labels)
    spans = Ranking(comparison, torch.clone, 8, 1)._strip_spans()
    positives = comparison.layout.positives
    assert [begin for begin, _ in spans[1:]] == [end for _, end in spans[:-1]]
    assert spans[-1][1] == 250
    assert all(positives[b:e].sum() <= 120 and e - b <= 8 for b, e in spans)
    monkeypatch.setattr(ranking, "_STRIP_POSITIVES", 1)
    assert all(e - b == 1 for b, e in Ranking(comparison, torch.clone, 8, 1)._strip_spans())


def test_products_are_float64_where_float32_cannot_tell(x_labels):
    x, labels = x_labels
    collapsed = (1000 + x).astype("float32")
    assert Ranking(compare(x, labels), torch.clone, 8, 1)._compared.dtype == torch.float32
    assert Ranking(compare(collapsed, labels), torch.clone, 8, 1)._compared.dtype == torch.float64
