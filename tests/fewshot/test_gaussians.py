import torch

from lowlabel.fewshot.gaussians import BaseGaussians


def test_factors_are_shared_kept_and_thrown_away(monkeypatch):
    random = torch.Generator().manual_seed(0)
    roots = torch.randn(6, 8, 8, generator=random)
    covariances = roots @ roots.transpose(1, 2)
    monkeypatch.setattr("lowlabel.fewshot.gaussians.FACTOR_BYTES", 4 * 8 * 8 * 4)
    gaussians = BaseGaussians(torch.zeros(6, 8), covariances)
    for rows in ([[0, 1], [2, 5], [0, 1]], [[1, 2]], [[0, 5], [1, 5], [2, 5]], [[0, 1]] * 9):
        factors, places = gaussians.factors(torch.tensor(rows), 0.5)
        for pair, place in zip(rows, places, strict=True):
            expected = covariances[pair].mean(0) + 0.5
            assert torch.allclose(factors[place] @ factors[place].T, expected, rtol=1e-3, atol=1e-3)
        assert len(factors) <= 4
