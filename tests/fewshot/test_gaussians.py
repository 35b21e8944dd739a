import numpy as np
import pytest
import torch

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.gaussians import BaseGaussians

ALPHA = 0.5


def test_factors_are_shared_kept_and_thrown_away(monkeypatch):
    random = torch.Generator().manual_seed(0)
    roots = torch.randn(6, 8, 8, generator=random)
    covariances = roots @ roots.transpose(1, 2)
    monkeypatch.setattr("lowlabel.fewshot.gaussians.FACTOR_BYTES", 4 * 8 * 8 * 4)
    gaussians = BaseGaussians(torch.zeros(6, 8), covariances)
    for rows in ([[0, 1], [2, 5], [0, 1]], [[1, 2]], [[0, 5], [1, 5], [2, 5]], [[0, 1]] * 9):
        units = torch.eye(8).expand(len(rows), 8, 8)
        x = gaussians.samples(units.clone(), torch.zeros(len(rows), 8), torch.tensor(rows), ALPHA)
        for pair, sampled in zip(rows, x, strict=True):
            expected = covariances[pair].mean(0) + ALPHA
            assert torch.allclose(sampled.T @ sampled, expected, rtol=1e-3, atol=1e-3)
        assert len(gaussians._caches[ALPHA].factors) <= 4


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("width", [8, 150])  # below and above what a sample's images span
def test_unit_normals_show_the_covariance_of_unequal_classes(width, k):
    random = np.random.default_rng(width)
    labels = np.repeat(np.arange(5), [2, 5, 9, 30, 7])
    features = random.normal(size=(len(labels), width)).astype(np.float32)
    gaussians = BaseStatistics(torch.from_numpy(features), labels).gaussians
    classes = torch.tensor([[0, 2, 4][:k], [1, 3, 4][:k]])
    numbers = gaussians.numbers_per_sample(k)
    assert numbers == min(30 * k + 1, width)
    means = torch.from_numpy(random.normal(size=(2, width)).astype(np.float32))
    units = torch.eye(numbers).expand(2, -1, -1)
    x = gaussians.samples(units.clone(), means, classes, ALPHA) - means[:, None]
    for members, sampled in zip(classes, x, strict=True):
        covariances = [np.cov(features[labels == c].astype(np.float64).T) for c in members]
        expected = np.mean(covariances, 0) + ALPHA
        assert np.allclose(sampled.T @ sampled, expected, rtol=1e-3, atol=1e-3)


def test_the_spectrum_and_the_traces_give_the_mean_covariance():
    roots = torch.randn(5, 3, 6, generator=torch.Generator().manual_seed(0))
    gaussians = BaseGaussians(torch.zeros(5, 6), roots.transpose(1, 2) @ roots)
    vectors, shares = gaussians.spectrum
    found = gaussians.traces.mean() * (vectors * shares) @ vectors.T
    assert torch.allclose(found, gaussians.covariances.mean(0), atol=1e-5)


def test_classes_of_equal_images_have_no_shares_of_variance():
    gaussians = BaseGaussians(torch.zeros(3, 4), torch.zeros(3, 4, 4))
    assert not gaussians.spectrum[1].any()
