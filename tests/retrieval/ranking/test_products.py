import pytest
import torch

from lowlabel.errors import InputError
from lowlabel.retrieval.ranking import products
from lowlabel.retrieval.ranking.products import (
    UnitRows,
    embed,
    multiply,
    product_margin,
    products_with,
    tie_tolerance,
    unit_rows,
)


def test_rows_come_out_at_length_one_in_the_order_asked_for():
    x = torch.randn(50, 9, generator=torch.manual_seed(0)) * torch.logspace(-30, 15, 50)[:, None]
    rows = torch.randperm(50)
    expected = (x.double() / x.double().norm(dim=1, keepdim=True))[rows]
    unit = unit_rows(embed(x), rows, torch.float64)
    torch.testing.assert_close(unit, expected, rtol=0, atol=1e-15)


def test_float64_of_any_size_has_a_direction():
    x = torch.tensor([[3e300, 4e300], [3e-300, 4e-300]], dtype=torch.float64)
    unit = unit_rows(embed(x), torch.arange(2), torch.float64)
    torch.testing.assert_close(unit, torch.tensor([[0.6, 0.8]] * 2, dtype=torch.float64))


@pytest.mark.parametrize("width", [1, 100, 128, 129, 700])
def test_products_are_whole_and_within_their_margin(width):
    x = torch.randn(200, width, generator=torch.manual_seed(0)) + 1
    embeddings, rows = embed(x), torch.arange(200)
    unit = unit_rows(embeddings, rows, torch.float32)
    exact = unit_rows(embeddings, rows, torch.float64)
    product = multiply(unit, unit[:80], torch.empty(200, 80))
    error = (product.double() - exact @ exact[:80].T).abs().max()
    assert error < product_margin(width, torch.float32) < 2e-5


@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
def test_similarities_do_not_depend_on_lengths(scale):
    x = torch.randn(200, 40, generator=torch.manual_seed(0))
    exact = unit_rows(embed(x), torch.arange(200), torch.float64)
    found = products_with(embed(scale * x), exact[:80].float())
    error = (found.double() - exact[:80] @ exact.T).abs().max()
    assert error < product_margin(40, torch.float32)


def test_equal_directions_are_within_the_tie_tolerance():
    x = torch.randn(100, 384, generator=torch.manual_seed(0), dtype=torch.float64)
    scaled = embed(x * torch.logspace(-3, 3, 100, dtype=torch.float64)[:, None])
    a, b = (unit_rows(e, torch.arange(100), torch.float64) for e in (embed(x), scaled))
    assert ((a @ a.T) - (a @ b.T)).abs().max() <= tie_tolerance(384) < 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.0, "1 of 4 rows of x are all zero"),
        (float("nan"), "1 of 4 .* NaN"),
        (float("inf"), "1 of"),
    ],
)
def test_rows_without_a_direction_are_counted(dtype, value, message):
    x = torch.ones(4, 3, dtype=dtype)
    x[2] = value
    with pytest.raises(InputError, match=message):
        embed(x, "x")


def test_blocks_of_a_large_table_take_the_same_memory_again(monkeypatch):
    x = torch.randn(40, 7, generator=torch.manual_seed(6))
    order = torch.arange(39, -1, -1)
    held = UnitRows(embed(x), order, torch.float32)
    monkeypatch.setattr(products, "MOST_BYTES", 0)
    computed = UnitRows(embed(x), order, torch.float32)
    places = set()
    for start in range(0, 40, 8):
        block = computed.block(start, start + 8)
        torch.testing.assert_close(block, held.block(start, start + 8), rtol=0, atol=0)
        places.add(block.data_ptr())
    assert len(places) == 1
    kept = computed[0:8]
    computed.block(8, 16)
    torch.testing.assert_close(kept, held[0:8], rtol=0, atol=0)
