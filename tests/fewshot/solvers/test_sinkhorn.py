import numpy as np
import pytest
import torch

from lowlabel.fewshot.solvers.sinkhorn import balance


@pytest.mark.parametrize("scale", [1.0, 10.0, 30.0])
def test_balance_finds_the_plan_of_plain_sinkhorn(plain, scale):
    random = torch.Generator().manual_seed(0)
    costs = torch.rand(6, 4, 20, generator=random, dtype=torch.float64)
    logits = -scale * costs
    plan = (logits + balance(logits, torch.zeros_like(costs[..., :1]))).softmax(1)
    assert torch.allclose(plan.sum(2), torch.full((6, 4), 5.0, dtype=torch.float64), rtol=1e-5)
    expected = np.stack([plain.sinkhorn(c.T.numpy(), scale).T for c in costs])
    assert np.abs(plan.numpy() - expected).max() < 1e-4


def test_balance_does_not_depend_on_the_start():
    logits = 20 * torch.rand(5, 3, 12, dtype=torch.float64, generator=torch.Generator())
    plans = [
        (logits + balance(logits, start)).softmax(1)
        for start in (torch.zeros(5, 3, 1), 9 * torch.rand(5, 3, 1))
    ]
    assert torch.allclose(*plans, atol=1e-5)
