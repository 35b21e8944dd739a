import numpy as np
import pytest
import torch

from lowlabel.retrieval.ranking import kernels
from lowlabel.retrieval.ranking.comparison import Comparison
from lowlabel.retrieval.ranking.numba_counter import NumbaCounter
from lowlabel.retrieval.ranking.positives import (
    find_positives,
    gallery_layout,
    leave_one_out_layout,
)
from lowlabel.retrieval.ranking.products import embed, unit_rows
from lowlabel.retrieval.ranking.torch_counter import TorchCounter

FEW = "lowlabel.retrieval.ranking.numba_counter._FEW"
TIES = ("pessimistic", "optimistic", "index")
COUNTERS = (NumbaCounter, TorchCounter)


@pytest.fixture
def tied(clustered):
    """A query set and a gallery with duplicates across classes, small classes and a large one."""
    x, labels = clustered(images=300, classes=60)
    labels[200:] = 1000
    x[100:200] = x[:100]
    x[250:] = x[0]
    return torch.from_numpy(x), torch.from_numpy(labels)


def compare(x, labels, ties, dtype, gallery_from=None):
    if gallery_from is None:
        both = embed(x)
        return Comparison(both, both, leave_one_out_layout(labels), ties, dtype)
    layout = gallery_layout(labels[:gallery_from], labels[gallery_from:])
    queries, gallery = embed(x[:gallery_from]), embed(x[gallery_from:])
    return Comparison(queries, gallery, layout, ties, dtype)


def count(comparison, kind, transposed=False, pieces=1):
    layout, counter = comparison.layout, kind(comparison)

    def cosines(first, last, places):
        queries = layout.queries[first:last].repeat_interleave(places.shape[1])
        return counter.cosines(queries, layout.gallery[places].flatten()).view(places.shape)

    positives = find_positives(layout, 0, len(layout.queries), cosines, comparison.tie)
    queries = unit_rows(comparison.queries, layout.queries, comparison.dtype)
    gallery = unit_rows(comparison.gallery, layout.gallery, comparison.dtype)
    counts = torch.zeros(len(positives.cosine), dtype=torch.int32)
    place = 0
    for part in gallery.tensor_split(pieces):
        block = part @ queries.T if transposed else queries @ part.T
        counter.count(block, positives, 0, place, counts, transposed=transposed)
        place += len(part)
    return positives, counts


def naive(comparison, positives):
    """The same counts, pair by pair."""
    layout = comparison.layout
    x = comparison.queries.raw.double() * comparison.queries.inverse_norm[:, None]
    y = comparison.gallery.raw.double() * comparison.gallery.inverse_norm[:, None]
    similarity = (x @ y.T).numpy()
    counts = []
    for place, row in enumerate(layout.queries.tolist()):
        same_class = set(layout.gallery[layout.start[place] : layout.stop[place]].tolist())
        others = np.array([g for g in range(len(y)) if g not in same_class])
        for k in range(positives.offsets[place], positives.offsets[place + 1]):
            positive = int(positives.rows[k])
            gap = similarity[row, others] - similarity[row, positive]
            tied = {"pessimistic": True, "optimistic": False, "index": others < positive}
            before = (gap > 1e-13) | ((abs(gap) <= 1e-13) & tied[comparison.ties])
            counts.append(int(before.sum()))
    return counts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "few"), [(NumbaCounter, 192), (NumbaCounter, 3), (NumbaCounter, 0), (TorchCounter, 0)]
)
@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("gallery_from", [None, 120])
def test_counts_are_those_of_all_pairs(monkeypatch, tied, kind, few, ties, gallery_from):
    monkeypatch.setattr(FEW, few)
    comparison = compare(*tied, ties, torch.float32, gallery_from)
    positives, counts = count(comparison, kind)
    assert counts.tolist() == naive(comparison, positives)


@pytest.mark.slow
@pytest.mark.parametrize("few", [192, 3])
@pytest.mark.parametrize("kind", COUNTERS)
@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize(
    ("dtype", "transposed", "pieces"),
    [(torch.float32, True, 1), (torch.float32, False, 7), (torch.float64, True, 3)],
)
def test_counts_do_not_depend_on_how_blocks_come(
    monkeypatch, tied, few, kind, ties, dtype, transposed, pieces
):
    monkeypatch.setattr(FEW, few)
    expected = count(compare(*tied, ties, torch.float32), NumbaCounter)[1]
    found = count(compare(*tied, ties, dtype), kind, transposed, pieces)[1]
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("few", [192, 3])
@pytest.mark.parametrize("kind", COUNTERS)
def test_products_off_by_their_margin_give_the_same_counts(monkeypatch, tied, kind, few):
    monkeypatch.setattr(FEW, few)
    comparison = compare(*tied, "pessimistic", torch.float32)
    counter, layout = kind(comparison), comparison.layout
    positives, expected = count(comparison, kind)
    unit = unit_rows(comparison.queries, layout.queries, torch.float64)
    noise = torch.rand(300, 300, dtype=torch.float64, generator=torch.manual_seed(0)) * 2 - 1
    block = (unit @ unit.T + 0.9 * comparison.doubt[1] * noise.sign()).float()
    counts = torch.zeros_like(expected)
    counter.count(block, positives, 0, 0, counts)
    assert counts.tolist() == expected.tolist()


@pytest.mark.parametrize("few", [192, 0])
def test_more_doubts_than_are_held_at_once(monkeypatch, few):
    monkeypatch.setattr(FEW, few)
    images = 2 * int(kernels._WAITING**0.5)
    x, labels = torch.ones(images, 3), torch.arange(images) // 2
    counts = count(compare(x, labels, "pessimistic", torch.float32), NumbaCounter)[1]
    assert counts.tolist() == [images - 2] * images


@pytest.mark.parametrize("kind", COUNTERS)
def test_queries_without_positives_count_nothing(kind):
    x = torch.randn(5, 3, generator=torch.manual_seed(0))
    counts = count(compare(x, torch.arange(5), "pessimistic", torch.float32), kind)[1]
    assert counts.tolist() == []


def test_cosines_are_those_of_float64(tied):
    comparison = compare(*tied, "pessimistic", torch.float32)
    rows, others = torch.arange(300), torch.arange(300).flip(0)
    x = tied[0].double()
    expected = torch.nn.functional.cosine_similarity(x[rows], x[others])
    for kind in COUNTERS:
        found = kind(comparison).cosines(rows, others)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)
