import numpy as np
import pytest
import torch
from scipy.optimize import check_grad
from sklearn.linear_model import LogisticRegression

from lowlabel.classification.logistic import blockwise, examples
from lowlabel.classification.logistic.curvature import Curvature
from lowlabel.classification.logistic.examples import Examples
from lowlabel.classification.logistic.loss import evaluate
from lowlabel.classification.logistic.path import fit_path
from lowlabel.classification.rows import Rows

CS = (1e-6, 1e-3, 0.1, 10.0, 1e5)


def overlapping(images, width, classes, seed=0, separation=0.6):
    """Float64 features [images, width] of overlapping unequal classes with unequal variances."""
    random = np.random.default_rng(seed)
    labels = np.sort(random.integers(0, classes, images) * random.integers(0, 2, images))
    labels[:classes] = np.arange(classes)
    spread = np.arange(1, width + 1) ** -0.7
    centres = separation * random.normal(size=(classes, width))
    x = (centres[labels] + random.normal(size=(images, width))) * spread
    return x + random.normal(size=width), labels


def fits(x, labels, cs=CS, **options):
    classes = int(labels.max()) + 1
    with torch.inference_mode():
        path = fit_path(torch.as_tensor(x), torch.as_tensor(labels), classes, cs, **options)
        return list(path)


def coefficients(fit):
    """Weights and intercepts as scikit-learn has them."""
    weight, intercept = fit.weight.numpy(), fit.intercept.numpy()
    if len(weight) == 2:
        return weight[1:] - weight[:1], intercept[1:] - intercept[:1]
    return weight, intercept - intercept.mean()


def reference(x, labels, c):
    model = LogisticRegression(C=c, tol=1e-10, max_iter=100_000).fit(x, labels)
    intercept = model.intercept_ - (model.intercept_.mean() if len(model.intercept_) > 1 else 0)
    return model, model.coef_, intercept


def objective(x, labels, c, weight, intercept):
    """c · Σ cross-entropy + ½|W|², written out for scikit-learn's coefficients."""
    logits = x @ weight.T + intercept
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], 1)
    own = logits[np.arange(len(labels)), labels]
    losses = np.logaddexp.reduce(logits, axis=1) - own
    return c * losses.sum() + 0.5 * np.square(weight).sum()


@pytest.mark.parametrize(
    ("images", "width", "classes"), [(300, 8, 5), (200, 6, 2), (40, 60, 4), (20, 20, 3)]
)
def test_the_minimum_is_that_of_scikit_learn(images, width, classes):
    x, labels = overlapping(images, width, classes)
    for fit in fits(x, labels, tolerance=1e-15):
        model, weight, intercept = reference(x, labels, fit.c)
        ours, ours_intercept = coefficients(fit)
        assert fit.converged
        # Where classes separate, little of scikit-learn's gradient is left far from its minimum.
        accuracy = 1e-5 if images > 100 else 1e-4 if fit.c < 1e5 else 1e-3
        size = np.abs(weight).max()
        np.testing.assert_allclose(ours, weight, rtol=0, atol=accuracy * size)
        np.testing.assert_allclose(ours_intercept, intercept, rtol=0, atol=accuracy * (1 + size))
        probabilities = fit.logits(torch.as_tensor(x)).softmax(1)
        np.testing.assert_allclose(probabilities, model.predict_proba(x), atol=1e-6)
        theirs = objective(x, labels, fit.c, weight, intercept)
        mine = objective(x, labels, fit.c, ours, ours_intercept)
        assert mine <= theirs * (1 + 1e-9)
        assert fit.objective == pytest.approx(mine, rel=1e-9)


def test_the_default_tolerance_holds_and_float32_features_are_enough():
    x, labels = overlapping(400, 12, 6)
    given, exact = fits(x.astype(np.float32), labels), fits(x, labels, tolerance=1e-15)
    for loose, tight in zip(given, exact, strict=True):
        assert loose.objective == pytest.approx(tight.objective, rel=1e-6)
        own = objective(x, labels, loose.c, *coefficients(loose))
        assert own <= objective(x, labels, loose.c, *coefficients(tight)) * (1 + 1e-7)


def test_separated_classes_converge_where_the_penalty_is_weak():
    x, labels = overlapping(60, 40, 3, separation=5.0)
    found = fits(x, labels, tolerance=1e-12)
    assert all(fit.converged for fit in found)
    for fit in found:  # the gradient of scikit-learn's objective vanishes
        with torch.inference_mode():
            p = fit.logits(torch.as_tensor(x)).softmax(1).numpy()
        residuals = fit.c * (p - np.eye(3)[labels])
        terms = np.abs(residuals).T @ np.abs(x - x.mean(0)) + np.abs(fit.weight.numpy())
        gradient = fit.weight.numpy() + residuals.T @ (x - x.mean(0))
        assert np.abs(gradient).max() < 1e-3 * terms.max()


def test_directions_of_little_variance_are_fitted():
    x, labels = overlapping(300, 30, 4)
    x = ((x - x.mean(0)) * np.logspace(3, -3, 30)).astype(np.float32)
    x = x @ np.linalg.qr(np.random.default_rng(1).normal(size=(30, 30)))[0].astype(np.float32)
    given = torch.as_tensor(x)
    for fit in fits(x, labels, tolerance=1e-12):
        assert fit.converged
        basis = np.linalg.svd(x - x.mean(0), full_matrices=False)[2]
        rows = (x.astype(np.float64) - x.mean(0, dtype=np.float64)) @ basis.T
        residuals = fit.c * (fit.logits(given).softmax(1).numpy() - np.eye(4)[labels])
        weight = fit.weight.numpy() @ basis.T
        terms = np.abs(residuals).T @ np.abs(rows) + np.abs(weight)
        assert (np.abs(weight + residuals.T @ rows) <= 1e-3 * terms.max(0)).all()


def test_gradient_and_hessian_are_those_of_the_loss():
    x, labels = overlapping(50, 4, 3)
    data = Examples.of(Rows(torch.as_tensor(x)), torch.as_tensor(labels), 3)
    random = np.random.default_rng(1)
    params = random.normal(size=15)

    def at(flat):
        return evaluate(data, torch.as_tensor(flat).reshape(3, 5))

    assert check_grad(lambda p: at(p).loss, lambda p: at(p).gradient.numpy().ravel(), params) < 1e-6
    alpha, direction = 0.3, torch.as_tensor(random.normal(size=(3, 5)))
    point, step = at(params), 1e-6
    ahead, behind = (at(params + sign * step * direction.numpy().ravel()) for sign in (1, -1))
    expected = (ahead.slope(alpha) - behind.slope(alpha)) / (2 * step)
    found = Curvature(data, point, alpha).product(direction)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    p = data.block(slice(None)) @ point.params[:, :-1].T + point.params[:, -1]
    np.testing.assert_allclose(point.uncertainty, 1 - p.softmax(1).square().sum(1), atol=1e-12)


def test_blocks_and_what_is_kept_of_them_change_nothing(monkeypatch):
    x, labels = overlapping(500, 6, 4)
    whole = fits(x, labels, tolerance=1e-14)
    monkeypatch.setitem(examples._BLOCK_ELEMENTS, "cpu", 1)
    monkeypatch.setitem(blockwise._KEPT_ELEMENTS, "cpu", 0)
    for one, many in zip(whole, fits(x, labels, tolerance=1e-14), strict=True):
        np.testing.assert_allclose(one.weight, many.weight, rtol=1e-5, atol=1e-8)


def test_a_fit_starts_from_another():
    x, labels = overlapping(300, 8, 5)
    (cold,) = fits(x, labels, (1.0,))
    half = fits(x[::2], labels[::2], (1.0,))[0]
    warm = fits(x, labels, (1.0,), start=half)[0]
    np.testing.assert_allclose(warm.weight, cold.weight, rtol=1e-2, atol=1e-3)
    assert warm.steps < cold.steps
    again = fits(x, labels, (1.0,), start=cold)[0]
    assert again.steps <= 1


def test_too_few_steps_are_said():
    x, labels = overlapping(300, 8, 5)
    (fit,) = fits(x, labels, (10.0,), max_iter=1)
    assert not fit.converged
    assert fit.steps == 1


@pytest.mark.parametrize("power", [-300, -60, 60, 300])
def test_a_scale_of_features_is_the_inverse_square_of_c(power):
    x, labels = overlapping(100, 5, 3)
    factor = 2.0**power
    (plain,) = fits(x, labels, (1.0,), tolerance=1e-14)
    c = 1.0 / factor / factor
    if not 0 < c < np.inf:
        c = 1.0
    (scaled,) = fits(x * factor, labels, (c,), tolerance=1e-14)
    logits = scaled.logits(torch.as_tensor(x * factor))
    assert logits.isfinite().all()
    if abs(power) < 100:
        np.testing.assert_allclose(logits, plain.logits(torch.as_tensor(x)), rtol=1e-6, atol=1e-6)


def test_constant_columns_and_equal_images_get_no_weight():
    x, labels = overlapping(80, 5, 3)
    constant = np.concatenate([x, np.full((80, 1), 1e6)], 1)
    both = (fits(each, labels, tolerance=1e-14) for each in (x, constant))
    for narrow, wide in zip(*both, strict=True):
        np.testing.assert_allclose(wide.weight[:, :5], narrow.weight, rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(wide.weight[:, 5], 0, atol=1e-10)
    (same,) = fits(np.ones((9, 4)), np.array([0, 0, 0, 0, 0, 1, 1, 1, 2]), (1.0,), tolerance=1e-14)
    shares = same.logits(torch.ones(1, 4, dtype=torch.float64)).softmax(1)[0]
    np.testing.assert_allclose(shares, np.array([5, 3, 1]) / 9, atol=1e-6)


def test_an_image_twice_counts_as_twice_its_loss():
    x, labels = overlapping(60, 5, 3)
    (doubled,) = fits(np.tile(x, (2, 1)), np.tile(labels, 2), (0.5,), tolerance=1e-14)
    (single,) = fits(x, labels, (1.0,), tolerance=1e-14)
    np.testing.assert_allclose(doubled.weight, single.weight, rtol=1e-5, atol=1e-8)
