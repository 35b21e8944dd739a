import math

import pytest
import torch

from lowlabel.training.methods.diagnostics import feature_std, mean_entropy, usage_entropy


def test_entropies_at_their_bounds():
    one_hot = torch.eye(8)
    assert mean_entropy(one_hot).item() == 0
    assert usage_entropy(one_hot).item() == pytest.approx(math.log(8))
    assert usage_entropy(one_hot[:1].expand(5, 8)).item() == 0
    assert mean_entropy(torch.full((3, 8), 1 / 8)).item() == pytest.approx(math.log(8))


def test_feature_std_at_its_bounds():
    assert feature_std(torch.ones(8, 5)).item() == 0
    torch.manual_seed(0)
    assert feature_std(torch.randn(4000, 64)).item() == pytest.approx(1, abs=0.05)
