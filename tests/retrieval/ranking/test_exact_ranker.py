import pytest
import torch

from lowlabel.retrieval.ranking.comparison import Comparison
from lowlabel.retrieval.ranking.exact_ranker import ExactRanker
from lowlabel.retrieval.ranking.numba_counter import NumbaCounter
from lowlabel.retrieval.ranking.positives import gallery_layout, leave_one_out_layout
from lowlabel.retrieval.ranking.products import embed
from lowlabel.retrieval.ranking.torch_counter import TorchCounter

RANKER = "lowlabel.retrieval.ranking.exact_ranker"


def compare(x, labels, gallery_from=None):
    x, labels = torch.from_numpy(x), torch.from_numpy(labels)
    if gallery_from is None:
        both = embed(x)
        return Comparison(both, both, leave_one_out_layout(labels), "pessimistic", torch.float32)
    layout = gallery_layout(labels[:gallery_from], labels[gallery_from:])
    queries, gallery = embed(x[:gallery_from]), embed(x[gallery_from:])
    return Comparison(queries, gallery, layout, "pessimistic", torch.float32)


def ranks_by_row(comparison, rows=64, workers=1, counter=None):
    found = {}
    for queries, ranks in ExactRanker(comparison, torch.clone, rows, workers, counter).run():
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
    monkeypatch.setattr(f"{RANKER}._SYMMETRIC_POSITIVES", 0)
    assert ranks_by_row(compare(*x_labels), rows, workers) == expected
    monkeypatch.setattr(f"{RANKER}._STRIP_POSITIVES", 50)
    assert ranks_by_row(compare(*x_labels), rows, workers) == expected


@pytest.mark.parametrize("gallery_from", [None, 100])
def test_similarities_of_positives_may_come_by_products(monkeypatch, x_labels, gallery_from):
    comparison = compare(*x_labels, gallery_from)
    expected = ranks_by_row(comparison)
    monkeypatch.setattr(f"{RANKER}._MANY", 1)
    assert ranks_by_row(comparison) == expected


@pytest.mark.parametrize("gallery_from", [None, 100])
def test_counters_give_the_same_ranks(x_labels, gallery_from):
    comparison = compare(*x_labels, gallery_from)
    assert ranks_by_row(comparison) == ranks_by_row(comparison, counter=TorchCounter)


@pytest.mark.parametrize(("shift", "dtype"), [(0, torch.float32), (1000, torch.float64)])
def test_products_are_float64_where_float32_cannot_tell(x_labels, shift, dtype):
    seen = set()

    class Watching(NumbaCounter):
        def count(self, block, *arguments, **options):
            seen.add(block.dtype)
            super().count(block, *arguments, **options)

    x, labels = x_labels
    comparison = compare((shift + x).astype("float32"), labels)
    assert ranks_by_row(comparison, counter=Watching) == ranks_by_row(
        comparison, counter=TorchCounter
    )
    assert seen == {dtype}
