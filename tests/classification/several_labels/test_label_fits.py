"""Logistic regressions of all labels together, beside those of each alone and scikit-learn."""

import numpy as np
import pytest
import torch
from scipy.optimize import check_grad
from sklearn.linear_model import LogisticRegression

from lowlabel.classification import evaluate_logistic_several_labels
from lowlabel.classification.logistic.binary import LabelCurvature, evaluate_labels
from lowlabel.classification.logistic.examples import Examples
from lowlabel.classification.logistic.path import fit_path
from lowlabel.classification.rows import Rows
from lowlabel.classification.several_labels import label_fits
from lowlabel.classification.several_labels.label_fits import EachLabel

CS = (1e-6, 1e-3, 0.1, 10.0, 1e5)


def together(features, labels, cs=CS, start=None):
    x, targets = Rows(torch.as_tensor(features)), torch.as_tensor(labels)
    with torch.inference_mode():
        return [*EachLabel().fits(x, targets, cs, start, 100, lambda: None)]


def objective(features, own, c, weight, bias):
    """scikit-learn's objective of two classes."""
    wrong = np.where(own, -1, 1) * (features @ weight + bias)
    return 0.5 * weight @ weight + c * np.logaddexp(0, wrong).sum()


@pytest.mark.slow
@pytest.mark.parametrize("images", [10, 200])  # fewer than the dimensions, and more
@pytest.mark.parametrize("block", [2, 512])
def test_objectives_are_those_of_each_label_alone_and_of_scikit_learn(
    drawn, images, block, monkeypatch
):
    monkeypatch.setattr(label_fits, "_TOGETHER", block)
    features, labels = drawn(images)
    for fitted in together(features, labels):
        total = 0.0
        for label, own in enumerate(labels.T):
            if not own.any() or own.all():
                assert not fitted.weight[label].any() and not fitted.bias[label]
                continue
            weight, bias = fitted.weight[label].numpy(), float(fitted.bias[label])
            intercept = bias - weight @ fitted.fits[0].center.numpy()
            ours = objective(features, own, fitted.c, weight, intercept)
            targets = torch.from_numpy(own.astype(np.int64))
            with torch.inference_mode():
                (alone,) = fit_path(torch.from_numpy(features), targets, 2, (fitted.c,))
            assert ours == pytest.approx(alone.objective, rel=1e-8)
            theirs = LogisticRegression(C=fitted.c, tol=1e-10, max_iter=100_000)
            theirs.fit(features, own)
            of_theirs = objective(
                features, own, fitted.c, theirs.coef_[0], float(theirs.intercept_[0])
            )
            assert ours <= of_theirs * (1 + 1e-9)
            total += ours
        assert fitted.objective == pytest.approx(total, rel=1e-9)
        assert fitted.converged


def test_labels_of_very_different_frequency_are_each_at_their_minimum():
    random = np.random.default_rng(0)
    features = random.normal(size=(2000, 30)) * np.logspace(1, -2, 30)
    labels = random.random((2000, 6)) < (0.001, 0.01, 0.1, 0.5, 0.9, 0.999)
    labels[:, 2:] |= features[:, :4] > 8
    labels[:2], labels[2:4] = True, False
    for fitted in together(features, labels):
        for label, own in enumerate(labels.T):
            targets = torch.from_numpy(own.astype(np.int64))
            with torch.inference_mode():
                (alone,) = fit_path(torch.from_numpy(features), targets, 2, (fitted.c,))
            weight, bias = fitted.weight[label].numpy(), float(fitted.bias[label])
            intercept = bias - weight @ fitted.fits[0].center.numpy()
            ours = objective(features, own, fitted.c, weight, intercept)
            assert ours == pytest.approx(alone.objective, rel=1e-8)


def test_gradient_and_hessian_are_those_of_the_loss(drawn):
    features, labels = drawn(50)
    data = Examples.of(Rows(torch.as_tensor(features)), torch.as_tensor(labels), 5)
    random = np.random.default_rng(1)
    params = random.normal(size=65)

    def at(flat):
        return evaluate_labels(data, torch.as_tensor(flat).reshape(5, 13))

    assert check_grad(lambda p: at(p).loss, lambda p: at(p).gradient.numpy().ravel(), params) < 1e-5
    alpha, direction = 0.3, torch.as_tensor(random.normal(size=(5, 13)))
    point, step = at(params), 1e-6
    ahead, behind = (at(params + sign * step * direction.numpy().ravel()) for sign in (1, -1))
    expected = (ahead.slope(alpha) - behind.slope(alpha)) / (2 * step)
    curvature = LabelCurvature(data, point, alpha)
    np.testing.assert_allclose(curvature.product(direction), expected, rtol=1e-4, atol=1e-5)
    inverse = curvature.preconditioner()
    columns = [inverse(each.reshape(5, 13)).flatten() for each in torch.eye(65).double()]
    matrix = torch.stack(columns)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-6 * float(matrix.abs().max()))
    assert float(torch.linalg.eigvalsh(matrix).min()) > 0


def test_logits_beyond_the_range_of_exponents_keep_their_loss():
    data = Examples.of(Rows(torch.tensor([[-1.0], [1.0]])), torch.tensor([[True], [False]]), 1)
    point = evaluate_labels(data, torch.tensor([[2000.0, 0.0]], dtype=torch.float64))
    assert point.loss == pytest.approx(2000.0)
    right = evaluate_labels(data, torch.tensor([[-2000.0, 0.0]], dtype=torch.float64))
    assert (right.loss, float(right.gradient.abs().max())) == (0.0, 0.0)


def test_a_label_that_is_held_out_as_a_whole_is_fitted_afterwards():
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(60, 4)), np.zeros((60, 3), dtype=bool)
    labels[:30, 0], labels[30:, 1] = True, True
    labels[[5, 35], 2] = True
    test = random.normal(size=(40, 4)), random.random((40, 3)) < 0.5
    for seed in range(12):  # some of them hold both images of the last label out
        found = evaluate_logistic_several_labels(features, labels, *test, c=(0.1, 1.0), seed=seed)
        assert np.isfinite(found.average_precision).all()


def test_a_fit_starts_from_one_that_lacks_labels(drawn):
    features, labels = drawn(80)
    fewer = labels.copy()
    fewer[:, 0] = False
    (start,) = together(features, fewer, (1.0,))
    (warm,), (cold,) = together(features, labels, (1.0,), start), together(features, labels, (1.0,))
    np.testing.assert_allclose(warm.weight, cold.weight, rtol=1e-3, atol=1e-4)
