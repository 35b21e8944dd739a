"""Twins: rows that are equal up to rounding."""

import numpy as np
import pytest
import torch

from lowlabel.retrieval.post.ties import EqualForTwins, equal_for_twins
from lowlabel.retrieval.ranking.nearest import nearest
from lowlabel.retrieval.ranking.twins import Twins


def unit(rows):
    return rows / rows.norm(dim=1, keepdim=True)


@pytest.fixture
def rows():
    rows = torch.randn(50, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows[30:40] = rows[:10]
    rows[45] = rows[3]
    return unit(rows)


def test_different_rows_have_no_twins():
    rows = unit(torch.randn(200, 3, generator=torch.Generator().manual_seed(1)))
    twins = Twins.of(rows)
    assert not twins
    assert torch.equal(twins.group, torch.arange(200))
    assert twins.made_equal(rows) is rows


def test_groups(rows):
    twins = Twins.of(rows)
    assert twins
    groups = {}
    for row, group in enumerate(twins.group.tolist()):
        groups.setdefault(group, []).append(row)
    several = sorted(group for group in groups.values() if len(group) > 1)
    assert several == sorted([3, 33, 45] if i == 3 else [i, 30 + i] for i in range(10))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_does_not_part_twins(dtype):
    generator = torch.Generator().manual_seed(2)
    row = torch.randn(1, 384, dtype=dtype, generator=generator)
    rows = unit(row * torch.rand(300, 1, dtype=dtype, generator=generator).add(0.1))
    assert len(rows.unique(dim=0)) > 1
    assert Twins.of(rows).sizes.tolist() == [300]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_near_rows_are_not_twins(dtype):
    row = unit(torch.randn(1, 8, dtype=dtype, generator=torch.Generator().manual_seed(3)))
    step = 100 * torch.finfo(dtype).eps
    assert not Twins.of(row + step * torch.arange(20, dtype=dtype)[:, None] * torch.eye(8)[0])


@pytest.mark.parametrize("block", [None, 200])
@pytest.mark.parametrize("k", [1, 4, 20, 49])
@pytest.mark.parametrize("leave_one_out", [True, False])
def test_twins_are_found_in_the_order_of_rows(rows, k, leave_one_out, block, monkeypatch):
    if block:
        monkeypatch.setattr("lowlabel.retrieval.ranking.blocks.BLOCK_VALUES", block)
    itself = torch.arange(50) if leave_one_out else None
    found = nearest(rows, rows, k, self_rows=itself)
    cosine = (rows.numpy() @ rows.numpy().T).round(12)
    for i, row in enumerate(cosine):
        order = [j for j in np.argsort(-row, kind="stable") if not leave_one_out or j != i]
        assert found.rows[i].tolist() == order[:k]
        np.testing.assert_allclose(found.similarity[i], row[order[:k]], atol=1e-9)


class Given:
    def __init__(self, values):
        self.values = values

    def rows(self, queries):
        return self.values[queries].clone()


def test_twins_get_their_mean_without_the_query_itself():
    twins = Twins.of(unit(torch.tensor([[1.0, 0], [0, 1], [1, 0], [1, 0], [1, 1]])))
    values = torch.tensor([[9.0, 1, 4, 2, 7], [3, 9, 6, 0, 5]])
    queries = torch.tensor([0, 1])
    leave_one_out = EqualForTwins(Given(values), twins, True).rows(queries)
    assert leave_one_out[0, 1:].tolist() == [1, 3, 3, 7]
    assert leave_one_out[1, [0, 2, 3, 4]].tolist() == [3, 3, 3, 5]
    others = EqualForTwins(Given(values), twins, False).rows(queries)
    assert others.tolist() == [[5, 1, 5, 5, 7], [3, 9, 3, 3, 5]]


def test_similarities_without_twins_are_left_as_they_are(rows):
    given = Given(rows)
    assert equal_for_twins(given, Twins.of(rows[:20]), True) is given
