import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from lowlabel.fewshot.base_statistics import BaseStatistics
from lowlabel.fewshot.episodes import EpisodeSampler
from lowlabel.fewshot.methods.calibration import Calibration

ALPHA = 0.21


@pytest.fixture(scope="module")
def base(skewed_base):
    return skewed_base


@pytest.fixture(scope="module")
def novel(skewed_novel):
    return skewed_novel


def calibrations(novel, base, shots, tasks=6):
    features = torch.from_numpy(novel[0]).sqrt()
    (episodes,) = EpisodeSampler(novel[1], 5, shots, 15).blocks(tasks, 0, tasks)
    gaussians = BaseStatistics(torch.from_numpy(base[0]), base[1]).gaussians
    support = features[torch.from_numpy(episodes.support)]
    query = features[torch.from_numpy(episodes.query)]
    return Calibration.of(support, gaussians, 2, ALPHA), query


def objective(weight, bias, x, labels):
    logits = x @ weight + bias
    logits = logits - logits.max(1, keepdims=True)
    losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]
    return losses.sum() + (weight**2).sum() / 2


@pytest.mark.slow
@pytest.mark.parametrize(("shots", "each"), [(1, 750), (5, 150), (1, 20)])
def test_equal_samples_give_what_scikit_learn_finds(novel, base, shots, each):
    calibration, query = calibrations(novel, base, shots)
    seeds = [(0, task) for task in range(len(query))]
    x = calibration.samples(seeds, each) + calibration.centre[:, None, None, None]
    x = x.flatten(1, 3).double().numpy()
    labels = np.arange(5).repeat(x.shape[1] // 5)
    classifiers = calibration.fit(seeds, each, 1.0)
    predictions = classifiers(query).argmax(-1).numpy()
    agreement = []
    for task in range(len(x)):
        usual = LogisticRegression(max_iter=1000).fit(x[task], labels)
        theirs = objective(usual.coef_.T, usual.intercept_, x[task], labels)
        weight, bias = classifiers.weight[task].double(), classifiers.bias[task].double()
        assert objective(weight.numpy(), bias.numpy(), x[task], labels) <= theirs * (1 + 1e-6)
        tight = LogisticRegression(max_iter=20_000, tol=1e-8).fit(x[task], labels)
        agreement.append(tight.predict(query[task].double().numpy()) == predictions[task])
    assert np.mean(agreement) >= 0.99


@pytest.mark.parametrize("k", [1, 2, 3])
def test_samples_have_the_calibrated_mean_and_covariance(novel, base, k):
    calibration, _ = calibrations(novel, base, 1, tasks=2)
    calibration = Calibration.of(
        calibration.support + calibration.centre[:, None, None], calibration.base, k, ALPHA
    )
    samples = (
        calibration.samples([(7, 0), (7, 1)], 40_000) + calibration.centre[:, None, None, None]
    )
    names = np.unique(base[1])
    means = np.stack([base[0][base[1] == c].mean(0) for c in names])
    covariances = np.stack([np.cov(base[0][base[1] == c].T) for c in names])
    for task, way in np.ndindex(2, 5):
        image, *drawn = samples[task, way, 0].double().numpy()
        near = np.argsort(((means - image) ** 2).sum(1))[:k]
        covariance = covariances[near].mean(0) + ALPHA
        scale = np.sqrt(covariance.diagonal().max() / 40_000)
        assert np.abs(np.mean(drawn, 0) - (means[near].sum(0) + image) / (k + 1)).max() < 5 * scale
        spread = np.abs(np.cov(np.transpose(drawn)) - covariance).max()
        assert spread < 8 * covariance.diagonal().max() / np.sqrt(40_000)
