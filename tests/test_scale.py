import numpy as np
import pytest
import torch

from lowlabel.scale import magnitudes, order_one, power_of_two, unit

DTYPES = [torch.float32, torch.float64]


def rows(dtype):
    return torch.randn(50, 7, dtype=dtype, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_power_of_two_is_the_largest_up_to_the_magnitude(dtype):
    ends = torch.finfo(dtype)
    given = torch.tensor([ends.max, ends.tiny, 1.0, 1.5, 2.0, 5.0, 0.75], dtype=dtype)
    power = power_of_two(given)
    assert (np.frexp(power.numpy())[0] == 0.5).all()
    ratio = given / power
    assert ((ratio >= 1) & (ratio < 2)).all()
    assert power_of_two(torch.zeros(1, dtype=dtype)) == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_any_magnitude_become_the_same_numbers(dtype):
    x = rows(dtype) + 8  # so that no entry leaves the range before its row's largest does
    low, high = (-120, 120) if dtype == torch.float32 else (-1000, 1000)
    powers = torch.arange(low, high, (high - low) / 50, dtype=torch.float64).round()[:50, None]
    scaled = torch.ldexp(x.double(), powers).to(dtype)
    assert torch.equal(order_one(scaled), order_one(x))
    assert torch.equal(unit(scaled), unit(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_only_the_length_changes(dtype):
    x = rows(dtype)
    tolerance = 4 * torch.finfo(dtype).eps
    lengths = torch.linalg.vector_norm(unit(x), dim=1)
    assert torch.allclose(lengths, torch.ones_like(lengths), rtol=tolerance)
    assert torch.allclose(unit(x) * torch.linalg.vector_norm(x, dim=1, keepdim=True), x, rtol=1e-5)
    assert torch.equal(magnitudes(x)[:, 0], x.abs().amax(1))


def test_rows_of_zeros_stay_and_rows_that_are_not_finite_stay_so():
    x = torch.tensor([[0.0, 0.0], [torch.nan, 1.0], [torch.inf, 1.0], [3.0, 4.0]])
    for scaled in (order_one(x), unit(x)):
        assert (scaled[0] == 0).all()
        assert scaled.isfinite().all(1).tolist() == [True, False, False, True]
    assert torch.allclose(unit(x)[3], torch.tensor([0.6, 0.8]))
